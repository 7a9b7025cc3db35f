"""What the branches of results are: whose commits they hold, and which generation of which spec they are a result of.

A commit is the bot's where one of its spec's attempt refs points to it, or where the ledger has a note on it. What it says
of itself counts only then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from split_ci.git import Objects, Repo

HEADS = "refs/heads/split-ci/"
ATTEMPTS = "refs/split-ci/attempts/"
DROPPED = "refs/split-ci/dropped/"
COACHED = "refs/split-ci/coached/"  # <id> is the result whose review was seen to by `coach` last
LEDGER = "refs/notes/split-ci"
COACHING = "coaching"  # the lessons' own branch; no result
BLOCKING = ("refs/split-ci", ATTEMPTS[:-1])
MAX_WALK = 200
MADE_UP = 10**9
_NUMBER = re.compile(rf"{ATTEMPTS}[^/]+/([0-9]{{1,18}})(?:/.*)?")


class Branch(NamedTuple):
    """One branch `split-ci/<id>`. `foreign`: its commits that are not the bot's, newest first; what the newest of the
    bot's commits says of itself: `digest` and `base` (None where there is no such commit), and how many `rounds` there are.
    """

    id: str
    head: str
    digest: str | None
    base: str | None
    implementer: str | None
    rounds: int
    foreign: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"split-ci/{self.id}"


class Branches(NamedTuple):
    """The refs of results as they are at one moment. `heads`: every ref below `split-ci/`, by full name."""

    by_id: Mapping[str, Branch]
    attempts: dict[str, dict[int, str]]  # id -> number -> commit
    heads: Mapping[str, str]
    checked_out: Mapping[str, str]  # branch's full name -> the worktree that has it
    blocking: frozenset[str] = frozenset()  # refs whose names keep all attempts, or the ledger, from being kept

    def obstacle(self, id_: str) -> str | None:
        """Why no branch of this id can be made, because of what other refs are called."""
        if HEADS[:-1] in self.heads:
            return "a branch is called `split-ci`, so none can be called `split-ci/…`: git branch -m split-ci another-name"
        below = next((ref for ref in self.heads if ref.startswith(f"{HEADS}{id_}/")), None)
        if below:
            return f"the branch {below.removeprefix('refs/heads/')} takes the name"
        others = re.compile(f"{ATTEMPTS}(?!{id_}$)")
        ref = next((each for each in sorted(self.blocking) if not others.match(each)), None)
        return f"nothing could be recorded: the ref {ref} is in the way, rename or delete it" if ref else None

    def attempt_ref(self, id_: str, commit: str) -> tuple[str, bool]:
        """The ref that keeps an attempt's commit, and whether it is there already. A number is given out once."""
        known = self.attempts.setdefault(id_, {})
        for number, kept in known.items():
            if kept == commit:
                return f"{ATTEMPTS}{id_}/{number}", True
        number = next_number(known)
        known[number] = commit
        return f"{ATTEMPTS}{id_}/{number}", False


def branch_ref(id_: str) -> str:
    return f"{HEADS}{id_}"


def trailers(message: str) -> dict[str, str]:
    """The `Key: value` lines of a commit message's last paragraph."""
    last = message.strip().rpartition("\n\n")[2]
    pairs = (line.partition(": ") for line in last.splitlines())
    return {key: value.strip() for key, colon, value in pairs if colon and " " not in key}


def read(repo: Repo, objects: Objects, ids: Collection[str] | None = None) -> Branches:
    """The branches as they are now: of some ids, or of all. `objects` reads their commits."""
    refs = repo.refs(HEADS[:-1], *BLOCKING, LEDGER)
    heads = {ref: oid for ref, oid in refs.items() if ref.startswith(HEADS) or ref == HEADS[:-1]}
    attempts = _attempts(refs)
    bots = _Bots(repo, objects, attempts)
    by_id = {}
    for ref, head in heads.items():
        id_ = ref.removeprefix(HEADS)
        if ref.startswith(HEADS) and "/" not in id_ and id_ != COACHING and (ids is None or id_ in ids):
            by_id[id_] = _branch(id_, head, bots)
    return Branches(by_id, attempts, heads, checked_out(repo) if heads else {}, _blocking(repo, refs))


def _attempts(refs: Mapping[str, str]) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for ref, oid in refs.items():
        number = number_of(ref)
        if number is not None:
            id_, _, name = ref.removeprefix(ATTEMPTS).partition("/")
            found.setdefault(id_, {})[number] = oid if name == str(number) else ""  # somebody else's: the number is taken
    return found


def number_of(ref: str) -> int | None:
    """The number that an attempt's ref has, or takes from others by its name; None where there is none."""
    found = _NUMBER.fullmatch(ref)
    return int(found[1]) if found else None


def next_number(taken: Collection[int]) -> int:
    """The next free one; a number that somebody made up does not count."""
    return max((number for number in taken if number < MADE_UP), default=0) + 1


def _blocking(repo: Repo, refs: Mapping[str, str]) -> frozenset[str]:
    """Refs that somebody made by hand: where the tool's own need a folder, below one of its own, or without a history."""
    names = {ref for ref in refs if ref in BLOCKING or re.fullmatch(f"{LEDGER}/.*|{ATTEMPTS}[^/]+", ref)}
    return frozenset(names | {LEDGER} if LEDGER in refs and repo.commit_or_none(LEDGER) is None else names)


def checked_out(repo: Repo) -> dict[str, str]:
    """Branch's full name -> the work tree that has it checked out."""
    found, folder = {}, ""
    for line in repo.git("worktree", "list", "--porcelain", "-z").decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = line.partition(" ")
        if key == "worktree":
            folder = value
        elif key == "branch":
            found[value] = folder
    return found


class _Commit(NamedTuple):
    parents: tuple[str, ...]
    trailers: Mapping[str, str]


class _Bots:
    """Which commits are the bot's. The ledger is read only where the attempt refs don't know a commit."""

    def __init__(self, repo: Repo, objects: Objects, attempts: Mapping[str, Mapping[int, str]]) -> None:
        self._repo = repo
        self._objects = objects
        self._attempts = attempts
        self._noted: frozenset[str] | None = None

    def made(self, id_: str, oid: str) -> bool:
        return oid in self._attempts.get(id_, {}).values() or oid in self._ledger()

    def _ledger(self) -> frozenset[str]:
        if self._noted is None:
            from split_ci.notes import note_ids  # noqa: PLC0415 - most commits are known by their attempt refs

            self._noted = frozenset(note_ids(self._repo, LEDGER))
        return self._noted

    def commit(self, oid: str) -> _Commit:
        found = self._objects.read(oid)
        if found is None or found[1] != "commit":
            return _Commit((), {})
        head, _, message = found[2].decode(errors="replace").partition("\n\n")
        parents = tuple(line[7:] for line in head.splitlines() if line.startswith("parent "))
        return _Commit(parents, trailers(message))


def _branch(id_: str, head: str, bots: _Bots) -> Branch:
    """Walks from the head down to the bases that the bot's commits name."""
    foreign: list[str] = []
    newest: Mapping[str, str] = {}
    bases: set[str | None] = set()
    rounds, queue, seen = 0, [head], {head}
    while queue and len(seen) <= MAX_WALK:
        oid = queue.pop(0)
        if oid in bases:
            continue
        commit = bots.commit(oid)
        if bots.made(id_, oid) and commit.trailers.get("Spec") == id_:
            newest = newest or commit.trailers
            bases.add(commit.trailers.get("Base"))
            rounds += 1
        else:
            foreign.append(oid)
        fresh = [parent for parent in commit.parents if parent not in seen]
        seen.update(fresh)
        queue += fresh
    return Branch(
        id_, head, newest.get("Spec-Digest"), newest.get("Base"), newest.get("Implementer"), rounds, tuple(foreign)
    )
