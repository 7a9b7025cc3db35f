from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from split_ci.ports import Entry, File
from split_ci.relations import circles_of, need_problems, order, overlap_problems, overlaps
from split_ci.spec import parse_spec
from tests.builders import spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.spec import Spec

LINES = "".join(f"line {n}\n" for n in range(1, 21))


class Files(NamedTuple):
    """A tree of texts."""

    texts: Mapping[str, str]

    def entry(self, path: str) -> Entry | None:
        return Entry("100644", "") if path in self.texts else None

    def names(self, folder: str) -> Sequence[str]:
        return [path for path in self.texts if path.rpartition("/")[0] == folder]

    def read(self, path: str) -> File | None:
        return File(self.texts[path].encode()) if path in self.texts else None

    def paths(self) -> Mapping[str, Entry]:
        return {path: Entry("100644", "") for path in self.texts}


TREE = Files({"a.txt": LINES, "b.txt": LINES, "crlf.txt": LINES.replace("\n", "\r\n")})


def edit(first: int, last: int, new: str = "", path: str = "a.txt") -> str:
    """A section that puts other text into the place of lines of a file."""
    before = "".join(f"line {n}\n" for n in range(first, last + 1))
    after = new or "new\n"
    return f"### Edit `{path}`\nBefore:\n```\n{before}```\nAfter:\n```\n{after}```\n"


def insertion(after: int) -> str:
    return f"### Edit `a.txt`\nBefore:\n```\nline {after}\n```\nAfter:\n```\nline {after}\nnew\n```\n"


def parsed(id_: str, changes: str, needs: str = "", status: str = "ready") -> Spec:
    text = spec(changes, extra=f"needs: [{needs}]\n").replace("status: ready", f"status: {status}")
    found = parse_spec(text.encode(), f"specs/{id_}.md")
    assert found.problems == ()
    assert found.spec is not None
    return found.spec


MODEL = "### Instruct `a.txt`\nShorten it.\n"
DIFF = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -{n} +{n} @@\n-line {n}\n+new\n"
PAIRS = {
    "the same line": (edit(5, 5), edit(5, 5), True),
    "lines that touch": (edit(5, 5), edit(6, 6), False),
    "lines that share one": (edit(3, 5), edit(5, 7), True),
    "other files": (edit(5, 5), edit(5, 5, path="b.txt"), False),
    "line ends of the file": (edit(5, 5, path="crlf.txt"), edit(4, 6, path="crlf.txt"), True),
    "the same place of insertion": (insertion(5), insertion(5), True),
    "two places of insertion": (insertion(5), insertion(6), False),
    "an insertion at an edge": (insertion(5), edit(6, 6), False),
    "a deleted anchor": (insertion(5), edit(5, 5), True),
    "shared context that nobody changes": (edit(4, 5, "new\nline 5\n"), edit(5, 6, "line 5\nnew\n"), False),
    "context that the other changes": (edit(4, 5, "new\nline 5\n"), edit(5, 5), True),
    "a whole file": ("### Delete `a.txt`\n", edit(5, 5), True),
    "two new files": ("### Create `n`\n```\n1\n```\n", "### Create `n`\n```\n2\n```\n", True),
    "two new twins": ("### Create `n`\n```\n1\n```\n", "### Create `N`\n```\n2\n```\n", True),
    "a move away": ("### Move `a.txt` to `c.txt`\n", edit(5, 5), True),
    "a move to one place": ("### Move `a.txt` to `c.txt`\n", "### Move `b.txt` to `c.txt`\n", True),
    "a hunk": (f"### Patch\n```diff\n{DIFF.format(n=5)}```\n", edit(5, 5), True),
    "a hunk elsewhere": (f"### Patch\n```diff\n{DIFF.format(n=9)}```\n", edit(5, 5), False),
}


@pytest.mark.parametrize(("one", "other", "wanted"), PAIRS.values(), ids=PAIRS)
def test_two_specs_that_change_the_same_lines(one: str, other: str, wanted: bool) -> None:
    specs = [parsed("one", one), parsed("two", other)]
    assert [p.code for p in overlap_problems(specs, TREE)] == ["SP603", "SP603"] * wanted
    assert overlaps(specs, TREE) == {"one": ["two"] * wanted, "two": ["one"] * wanted}


def test_the_message_names_both_places() -> None:
    first, second = overlap_problems([parsed("one", edit(3, 5)), parsed("two", edit(5, 5))], TREE)
    assert (second.path, second.line) == ("specs/one.md", 16)
    assert (
        second.message
        == "it changes lines 3 to 5 of `a.txt`, and specs/two.md:16 changes line 5, with no order between them"
    )
    assert second.fix == "write `needs: [two]` here, or `needs: [one]` there, not both; or change other lines"
    assert first.path == "specs/two.md"


@pytest.mark.parametrize(
    "needs", [("", "one", ""), ("two", "", "")], ids=["the second needs the first", "the first needs the second"]
)
def test_an_order_between_them_is_enough(needs: tuple[str, str, str]) -> None:
    specs = [parsed("one", edit(5, 5), needs[0]), parsed("two", edit(5, 5), needs[1])]
    assert list(overlap_problems(specs, TREE)) == []


def test_an_order_through_others_is_enough() -> None:
    specs = [parsed("one", edit(5, 5)), parsed("two", edit(9, 9), "one"), parsed("three", edit(5, 5), "two")]
    assert list(overlap_problems(specs, TREE)) == []


def test_drafts_overlap_nobody() -> None:
    assert list(overlap_problems([parsed("one", edit(5, 5)), parsed("two", edit(5, 5), status="draft")], TREE)) == []


def test_what_a_model_changes_is_not_known_but_ordered() -> None:
    specs = [parsed("one", MODEL), parsed("two", edit(5, 5))]
    assert list(overlap_problems(specs, TREE)) == []
    assert overlaps(specs, TREE) == {"one": ["two"], "two": ["one"]}


def test_many_specs_on_one_line_are_each_told_once() -> None:
    specs = [parsed(f"s{n}", edit(5, 5)) for n in range(30)]
    told = [p.path for p in overlap_problems(specs, TREE)]
    assert sorted(told) == sorted(s.path for s in specs)


def test_a_need_that_is_not_there() -> None:
    (found,) = need_problems([parsed("one", edit(5, 5), "tow"), parsed("two", edit(6, 6))], {"old"})
    assert (found.code, found.line, found.message) == ("SP601", 4, "it needs `tow`, and there is no such spec")
    assert found.fix == "did you mean `two`?"


def test_a_need_that_has_landed_is_fine() -> None:
    assert list(need_problems([parsed("one", edit(5, 5), "old")], {"old"})) == []


def test_a_draft_is_a_need_with_a_warning() -> None:
    specs = [parsed("one", edit(5, 5), "two"), parsed("two", edit(6, 6), status="draft")]
    (found,) = need_problems(specs, ())
    assert (found.code, found.severity) == ("SP604", "warning")


def test_a_circle_is_printed_from_each_of_its_members() -> None:
    specs = [
        parsed("a", edit(1, 1), "b"),
        parsed("b", edit(2, 2), "c"),
        parsed("c", edit(3, 3), "a"),
        parsed("d", edit(4, 4), "a"),
    ]
    said = {p.path: p.message for p in need_problems(specs, ())}
    assert said == {
        "specs/a.md": "needs go in a circle: a -> b -> c -> a",
        "specs/b.md": "needs go in a circle: b -> c -> a -> b",
        "specs/c.md": "needs go in a circle: c -> a -> b -> c",
    }


def test_long_chains_need_no_depth() -> None:
    chain = {f"s{n}": [f"s{n + 1}"] for n in range(5000)} | {"s5000": []}
    assert circles_of(chain) == {}
    assert len(circles_of({**chain, "s5000": ["s0"]})) == 5001


def test_waves() -> None:
    specs = [parsed("d", edit(1, 1), "c"), parsed("a", edit(2, 2)), parsed("b", edit(2, 2)), parsed("c", edit(3, 3), "a")]
    assert order(specs, overlaps(specs, TREE)) == [["a"], ["b", "c"], ["d"]]


def test_what_is_on_a_circle_is_in_no_wave() -> None:
    specs = [
        parsed("a", edit(1, 1), "b"),
        parsed("b", edit(2, 2), "a"),
        parsed("c", edit(3, 3), "a"),
        parsed("d", edit(4, 4)),
    ]
    assert order(specs, {}) == [["d"]]
