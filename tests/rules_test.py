from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from split_ci.path_rules import Place
from split_ci.ports import Entry, File
from split_ci.results import CriterionResult
from split_ci.rules import judge, proof_problems
from split_ci.spec import parse_spec
from split_ci.text_rules import added_remarks
from tests.builders import spec
from tests.promptly import promptly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.spec import Spec

LINK, MODULE, FOLDER = "120000", "160000", "040000"
TREE = {
    "src/a.py": "one\ntwo\n", "README.md": "# Hello\n", "Docs/x.md": "x\n", "Docs/y.md": "y\n", "café.md": "c\n", "Makefile": "all:\n",
}  # fmt: skip
MODES = {"link": LINK, "sub": MODULE, "src/to": LINK}


class Files(NamedTuple):
    """A tree of texts, links and submodules."""

    texts: Mapping[str, str]
    modes: Mapping[str, str] = {}

    def entry(self, path: str) -> Entry | None:
        if path in self.texts or path in self.modes:
            return Entry(self.modes.get(path, "100644"), "")
        below = any(name.startswith(path + "/") for name in [*self.texts, *self.modes])
        return Entry(FOLDER, "") if below else None

    def names(self, folder: str) -> Sequence[str]:
        start = folder + "/" if folder else ""
        inside = [p[len(start) :] for p in [*self.texts, *self.modes] if p.startswith(start)]
        return list(dict.fromkeys(p.split("/")[0] for p in inside))

    def read(self, path: str) -> File | None:
        return File(self.texts[path].encode()) if path in self.texts else None

    def paths(self) -> Mapping[str, Entry]:
        return {path: Entry("100644", "") for path in self.texts}


def parsed(changes: str, extra: str = "") -> Spec:
    found = parse_spec(spec(changes, extra=extra).encode(), "specs/x.md")
    assert found.spec is not None
    return found.spec


def said(changes: str, extra: str = "", tree: Files | None = None) -> list[tuple[str, int, str]]:
    judged = judge(parsed(changes, extra), Place(tree or Files(TREE, MODES)))
    return [(p.code, p.line, p.message) for p in judged.problems]


def create(path: str, text: str = "new\n") -> str:
    return f"### Create `{path}`\n````\n{text}````\n"


PATHS = {
    "a fault": (create("a/../b"), "SP201", "the path `a/../b` holds the component `..`"),
    "git's folder": (create(".git/hooks/x"), "SP201", "the path `.git/hooks/x` names git's own folder"),
    "a fault in a move": ("### Move `src/a.py` to `/b`\n", "SP201", "the path `/b` is absolute"),
    "a link on the way": (create("link/b"), "SP202", "`link` is a symlink: what is behind it is not followed"),
    "a link to edit": ("### Replace `src/to`\n```\nx\n```\n", "SP202", "`src/to` is a symlink: what is behind it is not followed"),
    "a twin by case": (create("readme.md"), "SP203", "`readme.md` can't be told from `README.md` of the tree by some file systems"),
    "a twin by form": (create("cafe\u0301.md"), "SP203", "`cafe\u0301.md` can't be told from `café.md` of the tree by some file systems"),
    "a folder's twin": (create("docs/z.md"), "SP203", "`docs/z.md` can't be told from `Docs` of the tree by some file systems"),
    "twins in the spec": (create("n/a") + create("N/b"), "SP203", "`N` and `n` can't be told from each other by some file systems"),
    "protected": (create("setup.cfg"), "SP204", "`setup.cfg` is protected, and the front matter doesn't name it"),
    "protected by case": (create("Agents.MD"), "SP204", "`Agents.MD` is protected, and the front matter doesn't name it"),
    "protected in a patch": ("### Patch\n```diff\ndiff --git a/go.mod b/go.mod\nnew file mode 100644\n--- /dev/null\n+++ b/go.mod\n@@ -0,0 +1 @@\n+x\n```\n",
                             "SP204", "`go.mod` is protected, and the front matter doesn't name it"),
    "specs": (create("specs/y.md"), "SP205", "`specs/y.md` is out of reach: specs, lessons and split-ci's configuration are changed by people alone"),
    "lessons by case": (create("Specs/coaching/y.md"), "SP205",
                        "`Specs/coaching/y.md` is out of reach: specs, lessons and split-ci's configuration are changed by people alone"),
    "a model's hands": ("### Instruct `Makefile`\nAdd a target.\n", "SP206", "`Makefile` is protected: a model never changes it"),
    "below a file": (create("README.md/x"), "SP207", "`README.md` is a file, so nothing can lie below it"),
    "a folder": ("### Delete `src`\n", "SP207", "`src` is a folder, and a section names files"),
    "a submodule": (create("sub/x"), "SP208", "`sub` is a submodule: its files belong to another repository"),
}  # fmt: skip
GOOD_PATHS = {
    "a plain path": create("src/b.py"),
    "a freed name": "### Delete `README.md`\n" + create("readme.md"),
    "another case by a move": "### Move `README.md` to `readme.md`\n",
    "a folder that is moved whole": "### Move `Docs/x.md` to `docs/x.md`\n### Move `Docs/y.md` to `docs/y.md`\n",
    "below a file that goes": "### Delete `README.md`\n" + create("README.md/x"),
}


@pytest.mark.parametrize(("changes", "code", "message"), PATHS.values(), ids=PATHS)
def test_a_path_against_the_tree(changes: str, code: str, message: str) -> None:
    assert (code, message) in [(c, m) for c, _, m in said(changes)]


@pytest.mark.parametrize("changes", GOOD_PATHS.values(), ids=GOOD_PATHS)
def test_a_path_that_is_fine(changes: str) -> None:
    assert said(changes) == []


def test_a_folder_that_is_moved_in_part_keeps_its_name() -> None:
    assert [c for c, _, _ in said("### Move `Docs/x.md` to `docs/x.md`\n")] == ["SP203"]


def test_a_line_of_its_own_opens_a_protected_path() -> None:
    assert said(create("setup.cfg"), 'protected: ["setup.cfg"]\n') == []


def test_an_unused_line_is_a_warning() -> None:
    assert said(create("n"), 'protected: ["setup.cfg"]\n') == [
        ("SP209", 4, "`protected` names `setup.cfg`, which no exact section changes")
    ]


def test_allow_names_nothing_protected_and_globs_are_capped() -> None:
    model = "### Instruct `src/a.py`\nMake it shorter by a line.\n"
    assert [c for c, _, _ in said(model, 'allow: ["Makefile"]\n')] == ["SP206"]
    assert [c for c, _, _ in said(model, 'allow: ["specs/**"]\n')] == ["SP205"]
    assert said(model, 'allow: ["**/*.py", "tests/**"]\n') == []


def test_the_configuration_protects_more() -> None:
    judged = judge(parsed(create("db/x.sql")), Place(Files(TREE), protected=["db/**"]))
    assert [p.code for p in judged.problems] == ["SP204"]


TEXTS = {
    "the rest": ("# ... rest of the code unchanged ...", "SP411"),
    "existing code": ("// ... existing code ...", "SP411"),
    "html": ("<!-- rest of the file unchanged -->", "SP411"),
    "a comment's dots": ("# ...", "SP411"),
    "dots alone": ("...", "SP411"),
    "an ellipsis alone": ("\u2026", "SP411"),
    "a tail": ("x = 1  # ... (rest unchanged)", "SP411"),
    "aws": ("k = 'AKIAIOSFODNN7EXAMPLE'", "SP412"),
    "github": ("t = 'ghp_" + "a1B2" * 9 + "'", "SP412"),
    "slack": ("xoxb" + "-123456789012-abcdefABCDEF", "SP412"),
    "anthropic": ("sk-" + "ant-api03-" + "x1Y2" * 8, "SP412"),
    "private key": ("-----BEGIN RSA " + "PRIVATE KEY-----", "SP412"),
    "in an address": ("postgres" + "://bob:hunter22x@db.example.org/x", "SP412"),
    "a web token": ("x-" + "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "SP412"),
    "assigned": ("api_key = 'q8Zr3Kx9Lm2Vt7Yw5Np1'", "SP412"),
    "zero width": ("a = 'x\u200b'", "SP413"),
    "bidi": ("a = 'x\u202e'", "SP413"),
    "hangul filler": ("\u3164 = 1", "SP413"),
    "variation selector": ("a\ufe01 = 1", "SP413"),
    "tag": ("a\U000e0041 = 1", "SP413"),
    "escape": ("a = '\x1b[0m'", "SP413"),
}


@pytest.mark.parametrize(("line", "code"), TEXTS.values(), ids=TEXTS)
def test_text_that_is_added(line: str, code: str) -> None:
    found = said(create("src/b.py", f"first = 1\n{line}\n"))
    assert [(c, n) for c, n, _ in found] == [(code, 16)]


@pytest.mark.parametrize(("line", "code"), TEXTS.values(), ids=TEXTS)
def test_text_that_is_added_can_be_waived(line: str, code: str) -> None:
    judged = judge(parsed(create("src/b.py", f"first = 1\n{line}\n"), f"waive: [{code}]\n"), Place(Files(TREE)))
    assert judged.problems == ()
    assert [p.code for p in judged.waived] == [code]


@pytest.mark.parametrize(("line", "code"), TEXTS.values(), ids=TEXTS)
def test_text_that_was_there_already(line: str, code: str) -> None:
    tree = Files({"src/a.py": f"{line}\nlast\n"})
    edit = f"### Edit `src/a.py`\nBefore:\n```\n{line}\nlast\n```\nAfter:\n```\n{line}\nend\n```\n"
    assert said(edit, tree=tree) == [], code
    assert said(f"### Replace `src/a.py`\n```\n{line}\nend\n```\n", tree=tree) == [], code


FINE_TEXTS = {
    "a stub": "class P(Protocol):\n    def f(self) -> int:\n        ...\n",
    "an empty class": "class E(Exception):\n    ...\n",
    "one line": "def f() -> None: ...\n",
    "a slice": "x = a[..., 0]\n",
    "a doctest": ">>> for i in x:\n...     print(i)\n...\n",
    "a word": "# the existing users keep their token\n",
    "a variable": "token = os.environ['API_TOKEN']\npassword = get_password()\n",
    "a template": "url = 'https://user:{password}@host'\npassword: '${{ secrets.PASSWORD }}'\n",
    "emoji": "ok = '\u2764\ufe0f \U0001f468\u200d\U0001f469 1\ufe0f\u20e3'\n",
    "accents": "name = 'Zoë Łukasz 日本'\n",
    "a form feed": "a = 1\n\x0c\nb = 2\n",
}


@pytest.mark.parametrize("text", FINE_TEXTS.values(), ids=FINE_TEXTS)
def test_text_that_is_fine(text: str) -> None:
    assert said(create("src/b.py", text)) == []


@pytest.mark.parametrize(
    "text", ["token ://" + "a." * 200_000, "eyJ-" * 200_000, "...\n" * 200_000, "def f():\n    ...\n" * 50_000], ids=["scheme", "jwt", "dots", "stubs"]
)  # fmt: skip
def test_no_text_takes_ages_to_judge(text: str) -> None:
    with promptly():
        list(added_remarks(text, "a.py"))


def test_a_byte_order_mark_at_the_start_is_fine() -> None:
    assert said(create("src/b.txt", "\ufeffone\n")) == []


def test_a_body_that_dots_take_the_place_of() -> None:
    tree = Files({"src/a.py": "def f():\n    return 1\n"})
    edit = "### Edit `src/a.py`\nBefore:\n```\ndef f():\n    return 1\n```\nAfter:\n```\ndef f():\n    ...\n```\n"
    assert [c for c, _, _ in said(edit, tree=tree)] == ["SP411"]


def test_a_patch_is_judged_by_what_it_adds() -> None:
    diff = "diff --git a/src/a.py b/src/a.py\n--- a/src/a.py\n+++ b/src/a.py\n@@ -1,2 +1,3 @@\n # ... existing code ...\n-two\n+2\n+# ... rest unchanged ...\n"
    tree = Files({"src/a.py": "# ... existing code ...\ntwo\n"})
    assert [(c, n) for c, n, _ in said(f"### Patch\n```diff\n{diff}```\n", tree=tree)] == [("SP411", 22)]


LEANING = ["Do it as discussed.", "Write it like before.", "See the conversation above.", "The style is the usual one, do the usual thing.",
           "As we said, shorten it.", "You know what to do.", "Use what was mentioned earlier."]  # fmt: skip
STANDING = ["Shorten the introduction to two sentences.", "Keep the order of the sections as it is in `docs/a.md`.",
            "The parser must accept what it accepted before the change.", "Explain the usual case first, then errors."]  # fmt: skip


@pytest.mark.parametrize("prose", LEANING)
def test_instructions_that_lean(prose: str) -> None:
    assert [(c, n) for c, n, _ in said(f"### Instruct `src/a.py`\nFirst line.\n{prose}\n")] == [("SP414", 15)]


@pytest.mark.parametrize("prose", STANDING)
def test_instructions_that_stand_alone(prose: str) -> None:
    assert said(f"### Instruct `src/a.py`\n{prose}\n") == []


def test_prose_hides_nothing() -> None:
    assert [c for c, _, _ in said("### Instruct `src/a.py`\nShorten it\u200b.\n")] == ["SP413"]


def test_proof() -> None:
    one = parsed(create("n"))
    results = [
        CriterionResult("a1", "missing n", False, None, 0.1, reason="it holds on the base, before any change", code="SP504"),
        CriterionResult("a1", "missing n", True, None, 0.1),
    ]
    (found,) = proof_problems(one, results)
    assert (found.code, found.line, found.message) == (
        "SP504",
        5,
        "a1 (`missing n`): it holds on the base, before any change",
    )
