"""Refs that somebody with the right to push made by hand: whatever they hold, they are said, and stop nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import git
from tests.forges.hub import FILES, Hub
from tests.github import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORGE = {**FILES, ".split-ci.yaml": "forge: github\n", ".github/workflows/split-ci-spec.yml": "on: workflow_dispatch\n"}
LEDGER = "refs/notes/split-ci"
ATTEMPTS = "refs/split-ci/attempts"
BY_HAND = ("-c", "user.name=x", "-c", "user.email=x@y")
REVIEWS = "refs/notes/split-ci-review"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path, FORGE)
    made.make()
    with serving(made.bare) as made.server:
        yield made


def blob(bare: Path, data: bytes) -> str:
    return git(bare, "hash-object", "-w", "--stdin", input=data).strip()


def tree(bare: Path, *lines: str) -> str:
    return git(bare, "mktree", "--missing", input="".join(f"{line}\n" for line in lines).encode()).strip()


def notes(bare: Path, name: str, *lines: str) -> None:
    ref(bare, name, git(bare, *BY_HAND, "commit-tree", "-m", "by hand", tree(bare, *lines)).strip())


def ref(bare: Path, name: str, oid: str) -> None:
    git(bare, "update-ref", name, oid)


def main(bare: Path) -> str:
    return git(bare, "rev-parse", "main").strip()


HARMLESS: dict[str, Callable[[Path], None]] = {
    "a note is a commit": lambda b: notes(b, LEDGER, f"160000 commit {main(b)}\t{main(b)}"),
    "a note is a link": lambda b: notes(b, LEDGER, f"120000 blob {blob(b, b'/etc/passwd')}\t{main(b)}"),
    "a note is of no object": lambda b: notes(b, LEDGER, f"100644 blob {blob(b, b'x')}\tREADME.md"),
    "a note is no text": lambda b: notes(b, LEDGER, f"100644 blob {blob(b, bytes(range(256)))}\t{main(b)}"),
    "a note is deep": lambda b: notes(b, LEDGER, f"100644 blob {blob(b, b'{' + b'[' * 100_000)}\t{main(b)}"),
    "a review is a commit": lambda b: notes(b, REVIEWS, f"160000 commit {main(b)}\t{main(b)}"),
    "an attempt has no number": lambda b: ref(b, f"{ATTEMPTS}/one/x", main(b)),
    "an attempt is a superscript": lambda b: ref(b, f"{ATTEMPTS}/one/\u00b2", main(b)),
    "an attempt is of another alphabet": lambda b: ref(b, f"{ATTEMPTS}/one/\u0663", main(b)),
    "an attempt is the last of all": lambda b: ref(b, f"{ATTEMPTS}/one/{'9' * 18}", main(b)),
    "an attempt is longer": lambda b: ref(b, f"{ATTEMPTS}/one/{'9' * 200}", main(b)),
    "an attempt is a folder": lambda b: ref(b, f"{ATTEMPTS}/one/1/2", main(b)),
    "an attempt is no commit": lambda b: ref(b, f"{ATTEMPTS}/one/1", blob(b, b"x")),
    "other notes": lambda b: ref(b, f"{LEDGER}-zzz", main(b)),
    "a tag called as the default branch": lambda b: ref(b, "refs/tags/main", main(b)),
    "a tag called as the result": lambda b: ref(b, "refs/tags/split-ci/one", main(b)),
    "a branch called HEAD": lambda b: ref(b, "refs/heads/HEAD", main(b)),
    "a branch called as a commit": lambda b: ref(b, f"refs/heads/{main(b)}", main(b)),
    "a branch that isn't a spec's": lambda b: ref(b, "refs/heads/split-ci/-x\u00e9", main(b)),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_it_stops_nobody(place: Hub, name: str) -> None:
    HARMLESS[name](place.bare)
    assert "due  one:" in place.cli("dispatch", "--dry-run").stdout
    place.cli("record", "../one.json", "../one.results.json")
    assert place.publish()["outcome"] == "done"
    assert "due  one: its result has no review yet" in place.cli("dispatch", "--dry-run").stdout
    assert place.told("record", "../one.json", "../one.results.json")["changed"] is False
    place.cli("drop", "one")
    assert f"{ATTEMPTS}/one/2" not in place.refs()


STOPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "the ledger is no commit": (lambda b: ref(b, LEDGER, blob(b, b"x")), LEDGER),
    "the ledger is a tree": (lambda b: ref(b, LEDGER, tree(b)), LEDGER),
    "the ledger is a folder": (lambda b: ref(b, f"{LEDGER}/x", main(b)), f"{LEDGER}/x"),
    "all attempts are one ref": (lambda b: ref(b, ATTEMPTS, main(b)), ATTEMPTS),
    "the attempts of a spec are one ref": (lambda b: ref(b, f"{ATTEMPTS}/one", main(b)), f"{ATTEMPTS}/one"),
    "a branch called split-ci": (lambda b: ref(b, "refs/heads/split-ci", main(b)), "a branch is called `split-ci`"),
    "a branch below the result's": (lambda b: ref(b, "refs/heads/split-ci/one/x", main(b)), "split-ci/one/x takes the name"),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_where_nothing_could_be_recorded_nothing_is_paid_for(place: Hub, name: str) -> None:
    """What can't be recorded would be paid for again, every time, with no end."""
    make, said = STOPS[name]
    make(place.bare)
    dispatch = place.cli("dispatch", "--dry-run").stdout
    assert "left  one:" in dispatch
    assert said in dispatch
    assert said in place.cli("admit", "one").stdout
    recorded = place.cli("record", "../one.json", "../one.results.json", code=None)
    if said.startswith("refs/"):
        assert (recorded.returncode, said in recorded.stderr) == (4, True)
    else:
        assert recorded.returncode == 0
    git(
        place.bare,
        "update-ref",
        "-d",
        next(each for each in place.refs() if said in each or each.endswith(("/x", "/split-ci"))),
    )
    assert "due  one:" in place.cli("dispatch", "--dry-run").stdout
