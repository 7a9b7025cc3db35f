"""A `run` that is killed at any of its git calls, and run again, ends as if nobody had killed it.

A `git` on PATH counts the calls of the run and kills at the one it was told: the run alone, its whole process group, or also
the git that holds locks at that moment. The kills are at the same call every time, not at a time of the clock.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, commit, git, make_repo, spec
from tests.invariants import leftovers, picture
from tests.lane_test import ARCHITECT, USAGE, block, finding, judged, reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REAL_GIT = shutil.which("git")
WRAPPER = f"""\
#!/bin/sh
printf x >> "$KILL_FOLDER/calls"
n=$(wc -c < "$KILL_FOLDER/calls")
due=no
case "$KILL_AT" in
  [0-9]*) [ "$n" -ge "$KILL_AT" ] && due=yes ;;
  *) case " $* " in *" $KILL_AT "*) due=yes ;; esac ;;
esac
if [ $due = yes ] && mkdir "$KILL_FOLDER/done" 2>/dev/null; then
  case "$KILL_HOW" in
    before) kill -9 "$KILL_PID"; exit 1 ;;
    after) {REAL_GIT} "$@"; code=$?; kill -9 "$KILL_PID"; exit $code ;;
    group) kill -9 -"$KILL_PID"; exec {REAL_GIT} "$@" ;;
    TERM|INT|HUP) kill -$KILL_HOW "$KILL_PID"; exec {REAL_GIT} "$@" ;;
    often) for n in 1 2 3 4 5 6 7 8; do kill -INT "$KILL_PID"; sleep 0.02; done; exec {REAL_GIT} "$@" ;;
    prepared)
      mkfifo "$KILL_FOLDER/lines"
      {REAL_GIT} "$@" < "$KILL_FOLDER/lines" > "$KILL_FOLDER/said" & child=$!
      exec 9> "$KILL_FOLDER/lines"
      grep -v '^commit$' >&9
      until grep -q 'prepare: ok' "$KILL_FOLDER/said"; do sleep 0.01; done
      kill -9 $child -"$KILL_PID"; exit 1 ;;
    index) printf half > "$KILL_INDEX"; kill -9 -"$KILL_PID"; exit 1 ;;
  esac
fi
exec {REAL_GIT} "$@"
"""
LESSON = {"for": "implementer", "text": "Say a word in capitals and in small letters.", "paths": ["a.txt"], "forbid": None}
EXACT = "### Edit `b.txt`\nBefore:\n```\nb\n```\nAfter:\n```\nB\n```\n"
STEPS = (1, 12, 30, 47, 64, 81, 98, 115)  # of some 128 calls


def approved() -> dict[str, Any]:
    """The architect's answer to the exact spec."""
    line = judged("approve", spec="first")
    return {**line, "text": line["text"].replace("a.txt", "b.txt")}


def taught() -> dict[str, Any]:
    """The architect's answer to the first round: a change is asked for, and a lesson is taught."""
    line = judged("request_changes", finding("implementer"), round=1, spec="second")
    answer = json.loads(line["text"])
    answer["coaching"] = {"answer": "Yes.", "lessons": [LESSON]}
    return {**line, "text": json.dumps(answer), "usage": USAGE}


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an exact spec and with one for a model, whose first round is sent back with a lesson."""
    replies = [
        reply(block("uno"), round=1), reply(block("UNO uno").replace("\none\n", "\nuno\n"), round=2),
        approved(), taught(), judged("approve", earlier=1, round=2, spec="second"),
    ]  # fmt: skip
    return make_repo(
        tmp_path_factory.mktemp("seed") / "r",
        {
            "a.txt": "one\n", "b.txt": "b\n", ".split-ci.yaml": ARCHITECT, "replies.json": json.dumps({"replies": replies}),
            "specs/first.md": spec(EXACT, accept="  - run: grep -q B b.txt"),
            "specs/second.md": spec("### Instruct `a.txt`\nSay uno.\n", accept="  - contains: {in: a.txt, text: uno}"),
        },
    )  # fmt: skip


class Place:
    """A copy of the seed, its own folder for temporary files, and a git that kills."""

    def __init__(self, root: Path, seed: Path, **env: str) -> None:
        self.env = env
        self.repo, self.tmp, self.kills = root / "r", root / "tmp", root / "kills"
        shutil.copytree(seed, self.repo, symlinks=True)
        for folder in (self.tmp, self.kills, root / "bin"):
            folder.mkdir()
        self.bin = root / "bin"
        (self.bin / "git").write_text(WRAPPER)
        (self.bin / "git").chmod(0o755)

    def run(self, at: int | str | None = None, how: str = "before") -> int:
        """One `split-ci run`, killed at a call of git (its number, or a word of it). The exit code."""
        path = f"{self.bin}:{clean_env()['PATH']}" if at is not None else clean_env()["PATH"]
        env = clean_env(
            {
                **PERSON, **self.env, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "TMPDIR": str(self.tmp), "PATH": path, "KILL_AT": str(at),
                "KILL_HOW": how, "KILL_FOLDER": str(self.kills), "KILL_INDEX": str(self.repo / ".git/index.lock"),
            }
        )  # fmt: skip
        command = 'KILL_PID=$$; export KILL_PID; exec "$0" -P -m split_ci run -j 2 --format json'
        with (self.repo.parent / "said").open("ab") as said:
            process = subprocess.Popen(
                ["sh", "-c", command, sys.executable],
                cwd=self.repo,
                env=env,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            return process.wait(timeout=120)

    def end(self) -> dict[str, Any]:
        """What is left, as far as it must be the same: trees, rounds, reviews, lessons; the ledger is looked into apart."""
        refs = git(self.repo, "for-each-ref", "--format=%(refname)", "refs/heads/").splitlines()
        return {
            "trees": {ref: git(self.repo, "rev-parse", f"{ref}^{{tree}}") for ref in refs},
            "commits": {ref: git(self.repo, "rev-list", "--count", ref) for ref in refs},
            "reviews": self.reviews(),
            "lessons": git(self.repo, "ls-tree", "--name-only", "split-ci/coaching", "specs/coaching/").splitlines(),
        }

    def reviews(self) -> list[str]:
        """Each branch's commits, in their order, with the decision on each and what became of earlier findings."""
        notes = [line.split() for line in git(self.repo, "notes", "--ref=split-ci-review", "list").splitlines()]
        said = {}
        for note, oid in notes:
            verdict = json.loads(git(self.repo, "cat-file", "blob", note).splitlines()[-1])
            said[oid] = f"{verdict['decision']} {verdict['summary']}"
        return [
            f"{name} {said.get(oid)}"
            for name in ("first", "second")
            for oid in git(self.repo, "rev-list", "--reverse", f"main..split-ci/{name}").splitlines()
        ]

    def ledger(self) -> list[dict[str, Any]]:
        lines = []
        for row in git(self.repo, "notes", "--ref=split-ci", "list").splitlines():
            lines += [json.loads(line) for line in git(self.repo, "cat-file", "blob", row.split()[0]).splitlines()]
        return lines

    def calls(self) -> int:
        """How many calls the ledger says were paid for."""
        return sum(line["usage"]["calls"] for line in self.ledger())

    def in_flight(self) -> int:
        """How many calls had left and not ended when the run was killed."""
        text = "".join(path.read_text() for path in (self.repo / ".git/split-ci/journal").glob("*.jsonl"))
        return text.count('"event":"started"') - text.count('"event":"ended"')

    def left(self) -> list[str]:
        """Locks, quarantines, journals, intents and checkouts that nobody owns."""
        own = self.repo / ".git/split-ci"
        files = [str(path) for path in own.rglob("*") if path.is_file()] if own.exists() else []
        return [*leftovers(self.repo), *files, *(str(path) for path in self.tmp.iterdir())]


@pytest.fixture(scope="module")
def whole(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The run that nobody killed."""
    place = Place(tmp_path_factory.mktemp("whole"), seed)
    assert place.run() == 0, (place.repo.parent / "said").read_text()
    return place


@pytest.fixture
def place(seed: Path, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, seed)
    before = picture(made.repo)
    yield made
    assert picture(made.repo) == before


def as_if_never_killed(place: Place, whole: Place) -> None:
    lost = place.in_flight()
    code = place.run()
    said = (place.repo.parent / "said").read_text()
    assert code == 0, said
    assert place.end() == whole.end(), said
    ledger = place.ledger()
    attempts = [(line["id"], line["attempt"], line["role"]) for line in ledger]
    assert len(attempts) == len(set(attempts))
    paid = [{(line["id"], line["role"], line["round"]) for line in lines} for lines in (ledger, whole.ledger())]
    assert paid[0] == paid[1]
    assert place.calls() == whole.calls() + lost
    assert place.left() == []


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("how", ["before", "after", "group"])
def test_killed_at_a_call_of_git(place: Place, whole: Place, how: str, at: int) -> None:
    assert place.run(at + {"before": 0, "after": 2, "group": 5}[how], how) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    as_if_never_killed(place, whole)


@pytest.mark.parametrize("how", ["TERM", "INT", "HUP", "often"])
def test_interrupted_at_a_call_of_git(place: Place, whole: Place, how: str) -> None:
    assert place.run(40, how) == 130
    assert [*(place.repo / ".git/objects").glob("split-ci-*"), *place.tmp.iterdir()] == []
    as_if_never_killed(place, whole)


def onto_main(root: Path, seed: Path) -> Place:
    """Lessons go to the branch that is checked out."""
    place = Place(root, seed)
    commit(place.repo, {".split-ci.yaml": ARCHITECT + "coaching: {branch: main}\n"})
    return place


def test_killed_while_the_work_tree_moves_forward(tmp_path: Path, seed: Path) -> None:
    place = onto_main(tmp_path, seed)
    assert place.run("--ff-only", "index") == -signal.SIGKILL
    assert (place.repo / ".git/index.lock").read_text() == "half"
    assert place.run() == 0, (tmp_path / "said").read_text()
    assert place.left() == []
    assert len(git(place.repo, "ls-tree", "--name-only", "main", "specs/coaching/").splitlines()) == 1
    assert git(place.repo, "status", "--porcelain") == ""
    assert git(place.repo, "branch", "--list", "split-ci/coaching") == ""


def test_somebody_elses_lock_of_the_index_stays(tmp_path: Path, seed: Path) -> None:
    """The lesson is not lost: it waits on the branch for lessons."""
    place = onto_main(tmp_path, seed)
    lock = place.repo / ".git/index.lock"
    lock.write_text("theirs")
    assert place.run() == 0, (tmp_path / "said").read_text()
    assert lock.read_text() == "theirs"
    assert len(git(place.repo, "ls-tree", "--name-only", "split-ci/coaching", "specs/coaching/").splitlines()) == 1


def test_killed_with_the_git_that_holds_the_locks_of_refs(place: Place, whole: Place) -> None:
    assert place.run("update-ref", "prepared") == -signal.SIGKILL
    assert list((place.repo / ".git").rglob("*.lock"))
    as_if_never_killed(place, whole)
