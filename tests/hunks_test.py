"""Which lines a pull request's diff shows, judged by what git itself prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.git import Repo
from split_ci.hunks import is_shown, shown_lines
from tests.builders import commit, git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

LONG = "".join(f"line {n}\n" for n in range(1, 41))
CASES: dict[str, tuple[dict[str, str | bytes | None], str, list[range]]] = {
    "a changed line and three around it": ({"a": LONG.replace("line 20\n", "x\n")}, "a", [range(17, 24)]),
    "two places": ({"a": LONG.replace("line 5\n", "x\n").replace("line 30\n", "")}, "a", [range(2, 9), range(27, 33)]),
    "the first line": ({"a": f"new\n{LONG}"}, "a", [range(1, 5)]),
    "the last line": ({"a": f"{LONG}new\n"}, "a", [range(38, 42)]),
    "the end of the last line": ({"a": LONG.removesuffix("\n")}, "a", [range(37, 41)]),
    "a new file": ({"n": "1\n2\n3"}, "n", [range(1, 4)]),
    "an empty new file": ({"n": ""}, "n", []),
    "a binary new file": ({"n": b"\0\n"}, "n", []),
    "a file that became binary": ({"a": b"\0\n"}, "a", []),
    "a file that was not changed": ({"n": "1\n"}, "a", []),
    "a file that is gone": ({"a": None}, "a", []),
    "a file that was moved": ({"a": None, "b": LONG}, "b", []),
    "a file that was moved and changed": ({"a": None, "b": LONG.replace("line 20\n", "x\n")}, "b", [range(17, 24)]),
    "a file of which all is gone": ({"a": ""}, "a", []),
    "a name that git would quote": ({'t\t"é\n': "1\n"}, 't\t"é\n', [range(1, 2)]),
    "a line that looks like a hunk": ({"n": "@@ -1,9 +1,9 @@\n"}, "n", [range(1, 2)]),
    "a changed line that looks like one": (
        {"a": LONG.replace("line 20\n", "@@ -90,9 +90,9 @@\n")}, "a", [range(17, 24)]
    ),
    "a file too large to be shown": ({"n": "x" * 600_000}, "n", []),
}  # fmt: skip


@pytest.mark.parametrize(("files", "path", "lines"), CASES.values(), ids=CASES)
def test_lines_of_a_diff(tmp_path: Path, files: dict[str, str | bytes | None], path: str, lines: list[range]) -> None:
    root = make_repo(tmp_path / "r", {"a": LONG})
    repo, base = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    head = commit(root, files)
    found = shown_lines(repo, base, head, [path])
    assert list(found.get(path, ())) == lines
    assert set(found) <= {path}
    assert not is_shown(found, path, 0)
    assert not is_shown(found, "elsewhere", 1)
    assert all(is_shown(found, path, line) for part in lines for line in part)


def test_attributes_and_drivers_of_a_repository_are_not_asked(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a": LONG, ".gitattributes": "a diff=evil -text\n"})
    git(root, "config", "diff.evil.command", f"touch {tmp_path}/ran")
    git(root, "config", "diff.evil.textconv", f"touch {tmp_path}/ran")
    git(root, "config", "diff.context", "9")
    repo, base = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    head = commit(root, {"a": LONG.replace("line 20\n", "x\n")})
    assert shown_lines(repo, base, head, ["a"]) == {"a": (range(17, 24),)}
    assert not (tmp_path / "ran").exists()


def test_a_link_is_one_line(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a": LONG})
    repo, base = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    (root / "a").unlink()
    (root / "a").symlink_to("nowhere")
    head = commit(root, {})
    assert shown_lines(repo, base, head, ["a"]) == {"a": (range(1, 2),)}
