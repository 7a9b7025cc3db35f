"""Foreign text in a comment: whatever it holds, what a renderer makes of it is paragraphs, line breaks and code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from split_ci import markdown
from split_ci.plain import visible

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {
    "paragraph_open", "paragraph_close", "inline", "fence", "text", "softbreak", "hardbreak", "code_inline", "html_entity",
    "text_special", "bullet_list_open", "bullet_list_close", "ordered_list_open", "ordered_list_close", "list_item_open",
    "list_item_close",
}  # fmt: skip
ACTIVE = re.compile(r"@\w|#\d|\bGH-\d|https?://|ftp://|www\.|\$|mailto:\S", re.IGNORECASE)
RAW = re.compile(  # what programs find that read the text itself, line by line
    r"^[/!]\w|@\w[\w-]* +\w|\b(?:close|fix|resolve)[sd]?:? +(?:[\w.-]+/[\w.-]+)?#\d|(?:fixes|closes) +https?://|<!--|^-->"
    r"|\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]|^ {0,3}[`~]{3,} *(?:suggestion|mermaid|math)",
    re.IGNORECASE | re.MULTILINE,
)

SAID = {
    "a mention": ("ask @ada or @org/team.", "ask `@ada` or `@org/team`."),
    "an address": ("mail a.b@example.org", "mail `a.b@example.org`"),
    "a closing word": ("fixes #1, closes o/r#22 and GH-3", "fixes `#1`, closes `o/r#22` and `GH-3`"),
    "references that touch": ("##1gh-7 GH-2gh-3 #4#5", "\\#`#1gh`-7 `GH-2gh`-3 `#4` `#5`"),
    "a closing word with an address": ("fixes https://h/o/r/issues/1", "fixes `https://h/o/r/issues/1`"),
    "a closing word in code": ("`fixes #1`", "`fixes` `#1`"),
    "a command to another bot in code": ("`@bot merge it`", "`@bot` `merge` `it`"),
    "a decorator in code": ("`@property` stays", "`@property` stays"),
    "a slash command": ("/merge\n/label bug", "\\/merge\n\\/label bug"),
    "a link": ("[click](https://h/?q=1)", "\\[click\\](`https://h/?q=1)`"),
    "a link that runs": ("[x](javascript:alert(1))", "\\[x\\](`javascript:alert(1))`"),
    "an image that tells": ("![x](http://h/?secret)", "\\!\\[x\\](`http://h/?secret)`"),
    "a link by reference": ("[x]: y", "\\[x\\]: y"),
    "HTML": ("<img src=x onerror=y> &lt;", "&lt;img src=x onerror=y&gt; &amp;lt;"),
    "a comment of HTML": ("<!-- split-ci {} -->", "&lt;\\!-- split-ci {} --&gt;"),
    "a comment of HTML in code": ("`<!-- split-ci {} -->`", "`<! -- split-ci {} -->`"),
    "a suggestion": ("```suggestion\nrm\n```", "  ```\n  rm\n  ```"),
    "a suggestion in tildes": ("~~~ suggestion\nrm\n~~~", "  ```\n  rm\n  ```"),
    "a diagram": ("```mermaid\na\n```", "  ```\n  a\n  ```"),
    "code of a language": ("Say:\n```python\nx = '`'\n```\nyes", "Say:\n\n  ```python\n  x = '`'\n  ```\n\nyes"),
    "code with a fence in it": ("````\n```\na\n````", "  ````\n  ```\n  a\n  ````"),
    "code with a command in it": ("```\nfixes #1\n```", "`fixes` `#1`"),
    "code that never ends": ("```\nrm", "  ```\n  rm\n  ```"),
    "a heading": ("# Big\nnot\n===", "\\# Big\nnot\n\\==="),
    "a list and tasks": ("- [x] done\n1. one\n2) two", "- \\[x\\] done\n1. one\n2) two"),
    "a list in a list": ("* a\n     - b\n\n- # c\n- - d", "- a\n  - b\n\n- \\# c\n- \\- d"),
    "no list": ("-x\n-\n1.5\n1.", "\\-x\n\\-\n1\\.5\n1\\."),
    "a line across": ("---\n- - -\n***", "\\---\n- \\- -\n\\*\\*\\*"),
    "a quotation": ("> [!NOTE]\n> x", "&gt; \\[\\!NOTE\\]\n&gt; x"),
    "a table": ("a|b\n-|-\n1|2", "a\\|b\n\\-\\|-\n1\\|2"),
    "code by indentation": ("    rm", "rm"),
    "mathematics": ("$x$ and $HOME", "`$x$` and `$HOME`"),
    "stress": ("**a** _b_ ~~c~~", "\\*\\*a\\*\\* \\_b\\_ \\~\\~c\\~\\~"),
    "an escape before a mention in code": ("\\`@ada x`", "\\\\`@ada` `x`"),
    "code over paragraphs": ("`a\n\n@ada`", "\\`a\n\n`@ada`\\`"),
    "two pieces of code in a row": ("`a``b`", "`a` `b`"),
    "characters that nobody sees": ("a\u202eb\u200bc\x1b[1m", "a\\\\u{202e}b\\\\u{200b}c\\\\x1b\\[1m"),
    "an order to skip checks": ("[skip ci] `[skip ci]`", "\\[skip ci\\] `[skip` `ci]`"),
    "carriage returns": ("a\r\nb\rc", "a\nb\\\\x0dc"),
    "nothing": (" \n\n ", ""),
}  # fmt: skip


@pytest.mark.parametrize(("said", "shown"), SAID.values(), ids=SAID)
def test_foreign_text(said: str, shown: str) -> None:
    made = markdown.prose(said)
    assert made == shown
    harmless(made)


def harmless(made: str) -> None:
    """Nothing in it but text and code, for a renderer and for programs that read it as it is."""
    assert not RAW.search(made), made
    for token in RENDERER.parse(made):
        assert token.type in HARMLESS, (token.type, made)
        assert token.type != "fence" or token.info in markdown.LANGUAGES or token.info == ""
        assert token.type != "fence" or token.map is not None
        text = ""
        for child in token.children or ():
            assert child.type in HARMLESS, (child.type, made)
            text += child.content if child.type != "code_inline" else "\0"
        assert not ACTIVE.search(text), (text, made)


PIECES = st.sampled_from(
    [
        "@ada", "@", "#1", "#", "fixes ", "GH-2", "https://h/x", "www.h.org", "`", "``", "```", "~~~", "\n", "\n\n", " ", "\\", "[", "](",
        ")", "![", "<", ">", "<!--", "-->", "<b>", "&amp;", "&#64;", "suggestion", "mermaid", "/merge", "!x", "- ", "1. ", "> ", "|", "$",
        "*", "_", "a", "é", "\t", "    ", "\u200b", "\r", "=", "===", "---", ":", "javascript:x", "mailto:a@b.c", "[skip ci]", "{}", "+",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_foreign_text(said: str) -> None:
    harmless(markdown.prose(said))
    harmless(markdown.line(said))
    harmless(markdown.code(said))


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_of_a_text_without_marks_is_lost(said: str) -> None:
    """What is read is what was said: text and code in their order, blanks and marks of code aside."""
    said = said.replace("```", "").replace("~~~", "").replace("`", "").replace("\t", " ")
    shown = ""
    for token in RENDERER.parse(markdown.prose(said)):
        shown += token.info + token.markup if token.type == "list_item_open" else ""
        shown += "".join(child.content for child in token.children or ())
    expected = visible(said.replace("\r\n", "\n"))
    same = {ord(mark): "-" for mark in "*+"}
    assert "".join(shown.translate(same).split()) == "".join(expected.translate(same).split())


@pytest.mark.parametrize("text", ["a" * 9000, "@" * 9000, "$" * 9000, "a@" * 4500, "` " * 4500, "#1" * 4500, "a.b/" * 2000])
def test_long_text_is_cut_and_said_to_be(text: str) -> None:
    made = markdown.prose(text, 4000)
    assert made.endswith("…")
    assert len(made) < 30_000
    harmless(made)


def test_a_path_is_code_whatever_it_is_called() -> None:
    assert markdown.code("a`b") == "``a`b``"
    assert markdown.code("`x`") == "`` `x` ``"
    assert markdown.code("a\nb\u202e") == "`a b\\u{202e}`"
    assert markdown.code("") == "` `"


def test_a_block_in_a_list_stays_there() -> None:
    entry = "- " + markdown.indented(markdown.prose("one\n\ntwo\n```\nx\n```"))
    (opened, *_, closed) = RENDERER.parse(entry)
    assert (opened.type, closed.type) == ("bullet_list_open", "bullet_list_close")
