"""What is written reads back as the same values, whatever paths, texts and messages hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from split_ci import writing
from split_ci.criteria import holds
from split_ci.spec import Create, Delete, Edit, Instruct, Move, Pair, Patch, Replace, parse_spec
from tests.trees import MemoryTree

if TYPE_CHECKING:
    from split_ci.spec import Change, Spec

NASTY = [
    "plain\n", "```\n", "````js\n", "   ```\n", "~~~\n", "---\n", "## Changes\n", "### Edit `x`\n", "After:\n", "<!--\n", "    code\n",
    "\ttab\n", "trailing \n", "trailing\t\n", "\r\n", "lone\rreturn\n", "\\r\\n\n", "\\\n", "\n", "\x0c\n", "a\x0bb\n", "nul\0\n",
    "\ufeffbom\n", "\u200bzero\n", "\u2028\n", "\x85\n", "\u00a0\n", "ﬁ é 漢字\n", "❤️\n", "<<<<<<< HEAD\n", "=======\n", ">>>>>>> x\n", "&amp;\n",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")).map(lambda t: t + "\n")), max_size=8).map("".join)  # fmt: skip


def read(changes: list[Change], *, why: str = "Because.\n", title: str = "A change", accept: str = "exists: x") -> Spec:
    head = writing.front_matter([("title", writing.scalar(title)), ("status", "ready")], [accept])
    parsed = parse_spec(writing.document(head, why, map(writing.section, changes)), "specs/a.md")
    assert parsed.spec is not None, parsed.problems
    assert not parsed.problems
    return parsed.spec


def bare(change: Change) -> Change:
    """Without line numbers."""
    if isinstance(change, Edit):
        return change._replace(line=0, pairs=tuple(pair._replace(line=0, after_line=0) for pair in change.pairs))
    zero = {field: 0 for field in ("line", "text_line") if field in change._fields}
    return change._replace(**zero)  # type: ignore[arg-type]


def back(change: Change) -> Change:
    [found] = read([change]).changes
    return bare(found)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_a_created_text_comes_back(text: str) -> None:
    for whole in (text, text[:-1]):
        for executable in (False, True):
            change = Create("src/a.py", whole, executable, 0)
            assert back(change) == change


@settings(max_examples=100, deadline=None)
@given(texts.filter(bool), texts)
def test_pairs_and_patches_come_back(before: str, after: str) -> None:
    if before != after:
        edit = Edit("a.md", (Pair(before, after, 1, 0, 0), Pair(before + "x\n", after, 3, 0, 0)), 0)
        assert back(edit) == edit
    replace = Replace("a.md", after, executable=False, line=0)
    assert back(replace) == replace


@pytest.mark.parametrize(
    "path", ["a.py", "a b.py", "`", "``", "a`b``c", " lead", "trail ", "é/漢.txt", "(executable)", "x (crlf)", "a to b", "*_[x](y)&amp;\\"]
)  # fmt: skip
def test_a_path_comes_back(path: str) -> None:
    for change in (
        Delete(path, 0),
        Move(path, path + "2", 0),
        Move("z" + path, path, 0),
        Create(path, "x\n", executable=True, line=0),
    ):
        assert back(change) == change
    assert back(Instruct((path, "other.md"), "Do it.", 0)) == Instruct((path, "other.md"), "Do it.", 0)


def test_sections_keep_their_order() -> None:
    changes: list[Change] = [
        Delete("a", 0), Move("b", "c", 0), Create("d", "", executable=False, line=0),
        Patch("diff --git a/e b/e\nold mode 100644\nnew mode 100755\n", 0), Replace("f", "", executable=True, line=0),
    ]  # fmt: skip
    assert [bare(change) for change in read(changes).changes] == changes


def test_bytes_that_are_not_utf8_come_back_in_a_patch() -> None:
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n caf\udce9\n-a\n+b\n"
    assert r"caf\xe9" in writing.section(Patch(diff, 0))
    assert back(Patch(diff, 0)) == Patch(diff, 0)


TITLES = [
    "Fold the two loaders", "no", "NO", "12:30", "1e5", "yes: it's", "a # b", "- dash", '"quoted"', "back\\slash", "Ümlaut 漢字", "é", "{a}", "[x]",
    "@at", "%x", "a: b", "null", "~", "0x1F", "=", "<<", "Fix(ui): don't", "!tag", "&a", "*a", "|", ">", "2026-01-02", "tab's", "`x`",
]  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_a_title_comes_back(title: str) -> None:
    assert read([Delete("a", 0)], title=title).title == title


ONE_LINES = [
    ("as it is", "Fix it", "Fix it"),
    ("blanks and ends", "  Fix\t it\r\n now ", "Fix it now"),
    ("invisible", "Fix\u200b \u202eit", "Fix it"),
    ("exactly 72", "x" * 72, "x" * 72),
    ("cut between words", "word " * 20, "word " * 13 + "word…"),
    ("cut within a word", "x" * 100, "x" * 71 + "…"),
    ("nothing", " \n", ""),
]


@pytest.mark.parametrize(("text", "line"), [row[1:] for row in ONE_LINES], ids=[row[0] for row in ONE_LINES])
def test_one_line(text: str, line: str) -> None:
    assert writing.one_line(text) == line
    assert len(line) <= 72


SLUGS = [
    ("Fold the two loaders into one", "fold-the-two-loaders-into-one"), ("Don't crash", "dont-crash"), ("Ünïcode Straße", "unicode-strae"),
    ("漢字", "change"), ("README", "readme-spec"), ("Con!", "con-spec"), ("--x--", "x"), ("a" * 80, "a" * 50), ("word " * 20, "-".join(["word"] * 10)),
    ("fix(ui): #12, v1.2", "fix-ui-12-v1-2"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "slug"), SLUGS)
def test_slug(title: str, slug: str) -> None:
    assert writing.slug(title) == slug


MESSAGES = [
    ("a heading", "# Top\n## Changes\n### Delete `x`\n"),
    ("an underlined heading", "Changes\n-------\n\nEdit\n===\n"),
    ("a fence", "```\nnever closed\n"),
    ("tildes", "~~~~\nnever closed\n"),
    ("a comment", "<!-- never closed\n\nmore\n"),
    ("a comment in a list", "- <!-- never closed\n"),
    ("front matter", "---\ntitle: x\n---\n"),
    ("a fence longer than ours", "``````````\nx\n"),
    ("html", "<details>\n"),
    ("script", "<script>\n"),
    ("a comment after an address", "by <a@b.c> <!-- never closed\n"),
    ("a quotation with a fence", "> ```\n> x\n"),
    ("a link definition", "[foo]:\n\nx"),
    ("returns", "a\rb\r\n## Changes\r\n"),
    ("invisible", "a\u200b\u2028## Changes\x00\n"),
    ("indented", "    code\n"),
    ("a label", "Before:\n"),
    ("unclosed code", "`a\n"),
    ("a byte order mark", "\ufeffa\n"),
    ("nothing but blanks", " \n\t\n"),
]


@pytest.mark.parametrize("message", [row[1] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_a_message_never_becomes_structure(message: str) -> None:
    spec = read([Delete("a", 0)], why=writing.prose(message))
    assert [bare(change) for change in spec.changes] == [Delete("a", 0)]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(NASTY),
            st.sampled_from(["#", "-", "*", ">", "<", "`", "~", "1.", "[", "]", ":", "=", "|", "\\", "!", "a"]),
        ),
        max_size=12,
    ).map("".join)
)
def test_no_message_ever_becomes_structure(message: str) -> None:
    spec = read([Delete("a", 0)], why=writing.prose(message))
    assert [bare(change) for change in spec.changes] == [Delete("a", 0)]


def test_plain_words_stay_a_paragraph() -> None:
    text = "The loader was there twice.\n\n- one in `a.py`\n- one in `b.py` -> gone\n\nCloses #12.\nSigned-off-by: Ada <ada@example.org>"
    assert writing.prose(text) == text + "\n"
    assert writing.prose("## Changes").startswith("```text\n")


def test_only_what_can_be_spoiled_is_escaped() -> None:
    assert writing.fence("tab\there \\n\n", "py") == "```py\ntab\there \\n\n```\n"
    assert writing.fence("tab\there \\n \n", "py") == "```py escaped\ntab\there \\\\n\\x20\n```\n"
    assert writing.fence("  \t\n") == "```escaped\n  \\t\n```\n"


def test_a_language_is_the_ending() -> None:
    names = ["a.py", "A.PY", "Makefile", ".gitignore", "x.tar.gz", "x.escaped", "x.we`ird", "d.x/file"]
    assert [writing.language(name) for name in names] == ["py", "py", "", "gitignore", "gz", "", "", ""]


def test_criteria_lines_come_back() -> None:
    [one] = read([Delete("a", 0)], accept=writing.blob_line('we"ird: [x].py', "1" * 40, "100755")).accept
    assert (one.kind, one.subject, one.blob, one.mode, one.guard) == ("blob", 'we"ird: [x].py', "1" * 40, "100755", False)
    [one] = read([Delete("a", 0)], accept=writing.missing_line("no")).accept
    assert (one.kind, one.subject) == ("missing", "no")
    [one] = read([Delete("a", 0)], accept=writing.missing_line("app/[id]*?.js")).accept
    assert not holds(one, MemoryTree({"app/[id]*?.js": ""}))
    assert holds(one, MemoryTree({"app/idx.js": "", "app/i.js": "", "app/[id]x.js": ""}))
