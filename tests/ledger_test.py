"""The ledger, the reviews and the journals: in git notes, merged by union, and nothing paid for is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from split_ci import ledger, notes
from split_ci.errors import Refused
from split_ci.forges.local import Local
from split_ci.git import Repo
from split_ci.journal import Journal, fold, recover
from split_ci.journals import Journals
from split_ci.ledger import (
    CriterionSummary,
    Entry,
    entries_in,
    line_of,
    merged,
    read_all,
    read_line,
    read_of,
    text_of,
    write,
)
from split_ci.past import read_journal
from split_ci.ports import Usage
from split_ci.steps.comment import comment
from split_ci.store import Quarantine
from split_ci.verdict import Finding
from tests.builders import SOURCE, commit, git, make_repo, spec
from tests.reviewed import judge, make_result

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n"
AT = "2026-01-02T03:04:05Z"


def entry(commit_id: str | None = "c" * 40, **more: Any) -> Entry:
    return Entry("one", "a" * 64, "1234", "implementer", "cheap", AT, commit_id, "b" * 40)._replace(**more)


FULL = entry(
    usage=Usage(2, 10, 5, 3, 0.25),
    outcome="failed",
    reason="é\n",
    edits={"exact": 1},
    lessons=("l",),
    lessons_at="d" * 40,
    criteria=(CriterionSummary("a1", None, True, 0.5),),
    recorded=True,
)


def test_a_line_is_read_as_it_was_written() -> None:
    assert "\n" not in line_of(FULL)
    assert read_line(line_of(FULL)) == FULL


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"role": "judge"}, "ledger: role must be one of architect, implementer"),
        ({"outcome": "great"}, "ledger: outcome must be one of"),
        ({"usage": Usage(calls=-1)}, "ledger: usage: calls must be a whole number"),
        ({"id": "A"}, "ledger: id must be a spec id"),
    ],
    ids=str,
)
def test_what_is_no_entry_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as caught:
        read_line(line_of(entry(**fields)))
    assert caught.value.message.startswith(message)


ENTRIES = st.builds(
    lambda attempt, calls, at, reason: entry(attempt=attempt, usage=Usage(calls, calls), at=at, reason=reason),
    st.sampled_from(["1", "2", "3"]),
    st.integers(0, 3),
    st.sampled_from([AT, "2026-01-03T00:00:00Z"]),
    st.sampled_from(["", "x", ledger.INTERRUPTED]),
)


@given(st.lists(ENTRIES, max_size=8), st.randoms())
def test_the_order_of_merging_does_not_matter(entries: list[Entry], random: Any) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    middle = len(entries) // 2
    by_parts = merged([*merged(shuffled[middle:]), *merged(shuffled[:middle])])
    assert merged(entries) == merged(shuffled) == by_parts
    assert entries_in(text_of(entries)) == entries_in(text_of(shuffled))
    assert len({e.attempt for e in entries}) == len(merged(entries))


def test_the_richer_telling_wins() -> None:
    poor = entry(outcome="failed", reason=ledger.INTERRUPTED, usage=Usage(1, usd=None))
    rich = entry(usage=Usage(2, 10, 0, 3, 0.1), at="2026-02-01T00:00:00Z")
    assert merged([poor, rich]) == [rich]
    assert merged([entry(at="2027-01-01T00:00:00Z"), entry()]) == [entry()]


def test_entries_lie_on_their_commits(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    repo, head = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    assert write(repo, [entry(head), entry(None, attempt="9", base=head, outcome="failed")])
    assert not write(repo, [entry(head, at="2027-01-01T00:00:00Z")])
    assert [e.attempt for e in read_of(repo, head)] == ["1234", "9"]
    assert read_all(repo) == read_of(repo, head)
    assert '"attempt":"1234"' in git(root, "log", "--notes=split-ci", "-1")
    assert git(root, "rev-list", "--count", "refs/notes/split-ci") == "1"


def test_what_others_wrote_into_a_note_stays(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    repo, head = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    git(root, "notes", "--ref=split-ci", "add", "-m", 'a word by a person\n{"id": "broken"}', head)
    write(repo, [entry(head)])
    write(repo, [entry(head, attempt="5678")])
    note = git(root, "notes", "--ref=split-ci", "show", head)
    assert note.splitlines()[:2] == ["a word by a person", '{"id": "broken"}']
    assert [e.attempt for e in read_of(repo, head)] == ["1234", "5678"]


def test_who_came_between_is_not_overwritten(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    repo, head = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    with Quarantine(repo) as quarantine:
        update = ledger.append(quarantine, [entry(head)])
        assert update is not None
        write(repo, [entry(head, attempt="5678")])
        assert quarantine.admit([update]) == [update]
        again = ledger.append(quarantine, [entry(head)])
        assert again is not None
        assert quarantine.admit([again]) == []
    assert [e.attempt for e in read_all(repo)] == ["1234", "5678"]


def test_a_review_is_a_note_for_people_and_for_programs(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(EDIT))
    verdict = judge(result)
    comment(Local(result.repo), result.repo, [("review.json", verdict)])
    log = git(tmp_path / "r", "log", "--notes=split-ci*", "-1", result.head)
    assert "Notes (split-ci-review):" in log
    assert "split-ci review of one: approved, by rules" in log
    assert notes.review_of(result.repo, result.head) == verdict
    assert notes.reviews(result.repo) == {result.head: verdict}
    assert notes.review_of(result.repo, result.base) is None


def test_the_same_review_twice_is_one_note(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(EDIT))
    forge = Local(result.repo)
    assert forge.ensure_reviews([judge(result)])
    before = git(tmp_path / "r", "for-each-ref")
    assert not forge.ensure_reviews([judge(result)])
    comment(forge, result.repo, [("review.json", judge(result))])
    assert git(tmp_path / "r", "for-each-ref") == before


def test_a_note_that_claims_an_approval_is_not_believed(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(EDIT))
    verdict = judge(result)._replace(criteria=())
    git(tmp_path / "r", "notes", "--ref=split-ci-review", "add", "-m", notes.review_note(verdict).decode(), result.head)
    assert notes.review_of(result.repo, result.head) is None


HOSTILE = Finding(
    "a`\x1b[2J.txt",
    1,
    "![x](https://evil.example/?q=1) [y](javascript:alert(1)) <script> <!-- hide --> @everyone fixes #12\n```suggestion\nx\n```",
    "two\x1b]8;;https://evil.example\x07",
)


def test_foreign_characters_do_nothing_in_a_note(tmp_path: Path) -> None:
    verdict = judge(make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(EDIT)))
    hostile = verdict._replace(findings=(HOSTILE,), decision="request_changes", summary=HOSTILE.message)
    assert "\x1b" not in notes.review_text(hostile)


def paid(repo: Repo) -> Entry:
    return entry(None, base=repo.commit("HEAD"), role="architect")


def test_a_call_is_written_down_before_and_after(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    with Journal(repo, paid(repo)) as open_one:
        open_one.started()
        assert fold(repo) == []  # its run lives
        open_one.ended(Usage(1, 10, 0, 5, 0.5))
        open_one.started()
    found = fold(repo)[0].told.entry
    assert found.usage == Usage(2, 10, 0, 5, None)
    assert (found.outcome, found.reason) == ("failed", ledger.INTERRUPTED)


def test_what_the_ledger_has_leaves_no_journal(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    with Journals(repo) as journals:
        journals.open(paid(repo)).started()
        journals.open(paid(repo)._replace(attempt="5678")).started()
        journals.open(paid(repo)._replace(attempt="never-called"))
        journals.settle(["1234", "unknown"])
    assert [one.told.entry.attempt for one in fold(repo)] == ["5678"]


def test_recovering_twice_is_recovering_once(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    with Journal(repo, paid(repo)) as open_one:
        open_one.started()
        open_one.ended(Usage(1, 10, 0, 5, 0.5))
    write(repo, [one.told.entry for one in fold(repo)])  # killed here: in the ledger, and the journal still there
    assert recover(repo) == []
    assert fold(repo) == []
    assert recover(repo) == []
    assert [e.usage.usd for e in read_all(repo)] == [0.5]


def test_a_journal_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    line = line_of(entry()).encode() + b"\n"
    started, ended = (
        b'{"event":"started"}\n',
        b'{"event":"ended","usage":{"cached":0,"calls":1,"input":7,"output":1,"usd":0.1}}\n',
    )
    whole = read_journal(line + started + ended)
    assert whole is not None
    assert whole.entry.usage == Usage(1, 7, 0, 1, 0.1)
    cut = read_journal(line + started + ended + started + ended[:-20])
    assert cut is not None
    assert cut.entry.usage == Usage(2, 7, 0, 1, None)
    assert read_journal(line[:-10]) is None


KILLED = """
import os, signal, sys
from split_ci.git import Repo
from split_ci.journal import Journal
from split_ci.ledger import Entry
from split_ci.ports import Usage
repo = Repo.find(sys.argv[1])
journal = Journal(repo, Entry("one", "a" * 64, "1234", "implementer", "cheap", "2026-01-02T03:04:05Z", None, repo.commit("HEAD")))
journal.started()
journal.ended(Usage(1, 10, 0, 5, 0.5))
journal.started()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_has_paid_for_what_it_asked(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(root)], env={**os.environ, "PYTHONPATH": SOURCE}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    repo = Repo.find(str(root))
    (found,) = recover(repo)
    assert found.usage.calls == 2
    assert read_all(repo) == [found]
    assert os.listdir(root / ".git/split-ci/journal") == []


def test_a_commit_of_a_person_changes_no_note(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    repo = Repo.find(str(root))
    write(repo, [entry(repo.commit("HEAD"))])
    commit(root, {"a.txt": "two\n"})
    assert len(read_all(repo)) == 1
    assert read_of(repo, repo.commit("HEAD")) == []


def test_parallel_writers_lose_no_entry(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    head = git(root, "rev-parse", "HEAD")

    def tell(number: int) -> None:
        write(Repo.find(str(root)), [entry(head, attempt=f"{number}")])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(tell, range(6)))
    assert [e.attempt for e in read_all(Repo.find(str(root)))] == [f"{n}" for n in range(6)]
