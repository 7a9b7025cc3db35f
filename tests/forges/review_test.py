"""A review on GitHub: once for each head, whatever happened before, and nothing of a person's is touched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import split_ci as package
from split_ci.errors import Refused, WorldError
from split_ci.forges.github import GitHub
from split_ci.forges.github_client import Pace
from split_ci.forges.github_place import find_place
from split_ci.git import Repo
from split_ci.remarks import CONTEXT
from split_ci.seal import unseal
from split_ci.steps.comment import comment
from split_ci.verdict import CriterionDecision, Finding, Receipt, Verdict, dump
from tests.builders import commit, git, make_repo, split_ci, write
from tests.github import Answer, Fault, serving
from tests.github.world import ANOTHER_APP, BOT, PERSON, STRANGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.github import Actor, Server

QUICK = Pace(deadline=5.0, between_writes=0.0, first_pause=0.001)
LONG = "".join(f"line {n}\n" for n in range(1, 41))
NEW = LONG.replace("line 20\n", "open(path)\n")
OPEN = Finding("src/a.txt", 20, "Close the file, @ada.", "open(path)")
FAR = Finding("src/a.txt", 2, "Far from every change.", "line 2")
ELSEWHERE = Finding("b.txt", 1, "In a file that isn't in the diff.", "b")


class Place(NamedTuple):
    server: Server
    root: Path
    head: str

    @property
    def repo(self) -> Repo:
        return Repo.find(str(self.root))

    def forge(self, token: str = "bot-token") -> GitHub:
        return GitHub(find_place(self.repo, self.server.env(token)), pace=QUICK)

    def show(self, verdict: Verdict, token: str = "bot-token") -> Any:
        return comment(self.forge(token), self.repo, [("review.json", verdict)])[0]

    def push(self, files: dict[str, str | bytes | None]) -> str:
        """Another commit on the result's branch."""
        git(self.root, "checkout", "-q", "split-ci/one")
        head = commit(self.root, files)
        git(self.root, "push", "-q", "origin", "split-ci/one")
        git(self.root, "checkout", "-q", "main")
        return head

    def end(self) -> Any:
        """What people see at the end: texts, lines, states; no ids, times or numbers."""
        world = self.server.world
        return (
            [(one.commit, one.state, one.author.login, text_of(one.body)) for one in world.reviews],
            [(one.path, one.line, one.author.login, text_of(one.body)) for one in world.remarks],
            [(one.author.login, text_of(one.body)) for one in world.comments],
            [(one.sha, one.state, one.context, one.description) for one in world.statuses],
        )


def text_of(body: str) -> str:
    sealed = unseal(body)
    return re.sub(r"(pullrequestreview-|discussion_r|issuecomment-)\d+", r"\1N", sealed.text if sealed else body)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    root = make_repo(tmp_path / "r", {"src/a.txt": LONG, "b.txt": "b\n"})
    git(tmp_path, "clone", "-q", "--bare", "r", "one.git")
    git(root, "remote", "add", "origin", str(tmp_path / "one.git"))
    git(root, "checkout", "-q", "-b", "split-ci/one")
    head = commit(root, {"src/a.txt": NEW})
    git(root, "push", "-q", "origin", "split-ci/one")
    git(root, "checkout", "-q", "main")
    with serving(tmp_path / "one.git") as server:
        pull(server, "split-ci/one", head)
        yield Place(server, root, head)


def pull(server: Server, branch: str, head: str, author: Any = BOT) -> None:
    from tests.github.world import Pull

    world = server.world
    fields = {"title": "One", "body": "", "head": branch, "base": "main", "head_sha": head, "base_sha": head}
    world.pulls.append(Pull(world.number(), author, fields, world.now()))
    world.settle()


def verdict(head: str, *findings: Finding, decision: str = "", by: str = "architect", number: int = 1) -> Verdict:
    wanted: Any = decision or ("request_changes" if findings else "incomplete")
    return Verdict(
        "one", "a" * 64, "b" * 40, head, by, recorded=False, decision=wanted, summary="Read.", findings=findings,
        criteria=(CriterionDecision("a1", "met"),), receipts=(), lessons=(), round=number,
    )  # fmt: skip


def approval(place: Place, head: str, number: int = 2) -> Verdict:
    blob = git(place.root, "rev-parse", f"{head}:src/a.txt")
    receipts = (Receipt("src/a.txt", blob, 40, 40, "ok"),)
    base = git(place.root, "rev-parse", "main")
    return verdict(head, decision="approve", number=number)._replace(receipts=receipts, base=base)


def test_one_review_with_its_remarks_one_summary_one_status(place: Place) -> None:
    shown = place.show(verdict(place.head, OPEN, FAR, ELSEWHERE))
    world = place.server.world
    assert (shown.inline, shown.listed, shown.fixed, shown.left) == (1, 2, 0, ())
    (review,) = world.reviews
    assert (review.commit, review.state, shown.url) == (
        place.head, "COMMENTED", f"https://github.com/ada/one/pull/1#pullrequestreview-{review.id}",
    )  # fmt: skip
    (remark,) = world.remarks
    assert (remark.path, remark.line, remark.body.splitlines()[0]) == ("src/a.txt", 20, "Close the file, `@ada`.")
    assert "`src/a.txt:2` Far from every change." in review.body
    assert "`b.txt:1` In a file that isn't in the diff." in review.body
    (summary,) = world.comments
    assert f"[The review]({shown.url})" in summary.body
    (status,) = world.statuses
    assert (status.sha, status.state, status.context) == (place.head, "failure", CONTEXT)
    assert (status.description, status.target_url) == ("changes requested by architect, 3 findings", shown.url)
    assert place.server.writes == ["POST /pulls/1/reviews", "POST /issues/1/comments", f"POST /statuses/{place.head}"]


@pytest.mark.parametrize("decision", ["request_changes", "incomplete"])
def test_again_changes_nothing(place: Place, decision: str) -> None:
    said = verdict(place.head, OPEN, FAR, decision=decision)
    place.show(said)
    before, writes = place.end(), len(place.server.writes)
    place.show(said)
    assert place.end() == before
    assert len(place.server.writes) == writes


def test_a_remark_that_spans_lines_lies_under_all_of_them(place: Place) -> None:
    place.show(verdict(place.head, OPEN._replace(line=19, quote="line 19\nopen(path)\nline 21")))
    (remark,) = place.server.world.remarks
    assert (remark.start_line, remark.line) == (19, 21)


def test_the_next_round_marks_what_is_fixed_and_repeats_nothing(place: Place) -> None:
    other = Finding("src/a.txt", 22, "Say more.", "line 22")
    place.show(verdict(place.head, OPEN, other))
    head = place.push({"src/a.txt": NEW.replace("open(path)", "with open(path) as f")})
    shown = place.show(verdict(head, other, number=2))
    world = place.server.world
    assert (shown.inline, shown.listed, shown.fixed) == (0, 0, 1)
    fixed, kept = world.remarks
    assert fixed.body.startswith(f"**Fixed.** The review of `{head[:12]}` doesn't find this any more.")
    assert "Close the file, `@ada`." in fixed.body
    assert kept.body.startswith("Say more.")
    assert [review.commit for review in world.reviews] == [place.head, head]
    assert "**Said before, and still so**" in world.reviews[1].body
    assert f"#discussion_r{kept.id}) Say more." in world.reviews[1].body
    (summary,) = world.comments
    assert summary.body.count("changes requested |") == 2
    assert "1 finding, 1 fixed." in summary.body
    head = place.push({"src/a.txt": NEW.replace("open(path)", "f = open(path)")})
    place.show(verdict(head, OPEN, other, number=3))
    assert len(world.comments) == 1
    assert [one.body.splitlines()[0] for one in world.remarks] == [
        f"**Fixed.** The review of `{world.reviews[1].commit[:12]}` doesn't find this any more.", "Say more.",
        "Close the file, `@ada`.",
    ]  # fmt: skip


def test_what_comes_back_on_a_line_that_is_still_there_is_open_again(place: Place) -> None:
    place.show(verdict(place.head, OPEN))
    second = place.push({"b.txt": "c\n"})
    place.show(verdict(second, FAR, number=2))
    assert place.server.world.remarks[0].body.startswith("**Fixed.**")
    third = place.push({"b.txt": "d\n"})
    shown = place.show(verdict(third, OPEN, number=3))
    (remark,) = place.server.world.remarks
    assert remark.body.startswith("Close the file")
    assert (shown.inline, shown.fixed) == (0, 0)


def test_an_approval_is_a_comment_and_a_status(place: Place) -> None:
    place.show(verdict(place.head, OPEN))
    head = place.push({"src/a.txt": NEW.replace("open(path)", "with open(path) as f")})
    place.show(approval(place, head))
    world = place.server.world
    assert [review.state for review in world.reviews] == ["COMMENTED", "COMMENTED"]
    assert [(status.sha, status.state) for status in world.statuses] == [(place.head, "failure"), (head, "success")]
    assert "### split-ci: approved" in world.comments[0].body


def test_a_review_that_came_to_no_end_says_nothing_is_fixed(place: Place) -> None:
    place.show(verdict(place.head, OPEN))
    head = place.push({"b.txt": "c\n"})
    shown = place.show(verdict(head, number=2))
    assert shown.fixed == 0
    assert place.server.world.remarks[0].body.startswith("Close the file")
    assert place.server.world.statuses[-1].state == "error"


def test_the_same_head_reviewed_anew_is_the_same_review(place: Place) -> None:
    place.show(verdict(place.head))
    place.show(verdict(place.head, OPEN))
    world = place.server.world
    (review,) = world.reviews
    assert "### split-ci review: changes requested" in review.body
    assert "`src/a.txt:20` Close the file" in review.body
    assert len(world.comments) == 1
    assert world.comments[0].body.count("| 1 | [") == 1
    assert [status.state for status in world.statuses] == ["error", "failure"]
    before = place.end()
    place.show(verdict(place.head, OPEN))
    assert place.end() == before


REFUSED: dict[str, tuple[Callable[[Place], object], str]] = {
    "the branch has moved on": (
        lambda place: place.push({"b.txt": "c\n"}),
        r"pull request #1 has moved on to \w{12}: a review of \w{12} is not posted",
    ),
    "a person closed it": (
        lambda place: place.server.world.close(place.server.world.pulls[0], PERSON), "pull request #1 was closed: nothing is posted",
    ),
    "a stranger opened it": (
        lambda place: setattr(place.server.world.pulls[0], "author", STRANGER),
        "https://github.com/ada/one/pull/1 is mallory's, not the bot's: it is left alone",
    ),
    "there is none": (lambda place: place.server.world.pulls.clear(), "there is no pull request of split-ci/one"),
    "the result is not here": (
        lambda place: git(place.root, "push", "-q", "--force", "origin", "main:split-ci/one"), "has moved on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_nothing_is_posted_where(row: str, place: Place) -> None:
    act, message = REFUSED[row]
    act(place)
    with pytest.raises(Refused, match=message):
        place.show(verdict(place.head, OPEN))
    assert place.server.writes == []


def test_a_result_that_was_merged_meanwhile_is_reviewed_all_the_same(place: Place) -> None:
    git(place.root, "push", "-q", "origin", "split-ci/one:main")
    place.show(verdict(place.head, OPEN))
    assert len(place.server.world.reviews) == 1


def test_an_approval_without_receipts_is_not_posted(place: Place) -> None:
    with pytest.raises(Refused, match=r"review\.json: it approves, and holds no receipt for src/a\.txt"):
        place.show(approval(place, place.head)._replace(receipts=()))
    assert place.server.writes == []


def edited(place: Place, kind: str) -> Any:
    """A person writes into a comment of the bot's."""
    world = place.server.world
    one: Any = {"remark": world.remarks[:1], "review": world.reviews[:1], "summary": world.comments[:1]}[kind][0]  # type: ignore[index]
    one.body = "Not so! " + one.body.replace("\n", "\r\n")
    return one


def test_a_remark_that_a_person_edited_is_left_to_them(place: Place) -> None:
    place.show(verdict(place.head, OPEN))
    remark = edited(place, "remark")
    was = remark.body
    head = place.push({"src/a.txt": LONG})
    for _ in range(2):
        shown = place.show(verdict(head, FAR, number=2))
        assert remark.body == was
        line = f"A person edited [the remark on `src/a.txt`](https://github.com/ada/one/pull/1#discussion_r{remark.id})"
        assert shown.left == (f"{line}: it is left as it is.",)
        assert line in place.server.world.comments[0].body


def test_a_summary_that_a_person_edited_is_left_to_them(place: Place) -> None:
    place.show(verdict(place.head, OPEN))
    summary = edited(place, "summary")
    was = summary.body
    head = place.push({"src/a.txt": LONG})
    for _ in range(2):
        place.show(verdict(head, FAR, number=2))
        assert len(place.server.world.comments) == 2
        assert summary.body == was
        assert f"A person edited [an earlier summary](https://github.com/ada/one/pull/1#issuecomment-{summary.id})" in (
            place.server.world.comments[1].body
        )


def test_a_review_that_a_person_edited_is_left_to_them(place: Place) -> None:
    place.show(verdict(place.head))
    review = edited(place, "review")
    was = review.body
    place.show(verdict(place.head, OPEN))
    assert review.body == was
    assert len(place.server.world.reviews) == 1
    assert place.server.world.statuses[-1].state == "failure"


@pytest.mark.parametrize("author", [STRANGER, ANOTHER_APP], ids=lambda one: one.login)
def test_marks_in_a_stranger_s_comments_count_for_nothing(place: Place, author: Actor) -> None:
    """Whoever copies the bot's comments, hidden state and all, neither stops a review nor has anything edited."""
    from tests.github.reviews import Remark, Review
    from tests.github.world import Comment, Status

    place.show(verdict(place.head, OPEN))
    world = place.server.world
    own = place.end()
    (review,), (remark,), (summary,) = world.reviews[:], world.remarks[:], world.comments[:]
    world.reviews[:], world.remarks[:], world.comments[:], world.statuses[:] = [], [], [], []
    copy = Review(1, 1, author, {"body": review.body, "commit_id": place.head, "event": "COMMENT"}, world.now())
    world.reviews.append(copy)
    world.remarks.append(Remark(2, copy, {"path": "src/a.txt", "line": 20, "body": remark.body}, world.now()))
    world.comments.append(Comment(3, 1, author, summary.body, world.now()))
    world.statuses.append(Status(4, place.head, "success", CONTEXT, "approved by architect", None, author, world.now()))
    place.show(verdict(place.head, OPEN))
    assert (world.reviews[0].body, world.remarks[0].body, world.comments[0].body) == (review.body, remark.body, summary.body)
    ours = place.end()
    assert [[row for row in rows if author.login not in row] for rows in ours[:3]] == list(own[:3])
    assert world.statuses[-1].state == "failure"


def test_a_line_that_github_knows_otherwise_goes_into_the_body(place: Place) -> None:
    said = verdict(place.head, OPEN, FAR)
    wrong = Answer(422, {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]})
    place.server.faults.append(Fault(wrong, method="POST", path="/reviews"))
    place.show(said)
    (review,) = place.server.world.reviews
    assert place.server.world.remarks == []
    assert "`src/a.txt:20` Close the file" in review.body
    before = place.end()
    place.show(said)
    assert place.end() == before


def test_what_is_said_when_a_token_may_not(place: Place) -> None:
    world = place.server.world
    world.tokens["bot-token"] = BOT._replace(may=frozenset({"contents"}))
    with pytest.raises(WorldError, match="Resource not accessible by integration") as refusal:
        place.show(verdict(place.head, OPEN))
    assert "pull" in refusal.value.hint
    assert "bot-token" not in f"{refusal.value} {refusal.value.hint}"


def test_the_command(place: Place, tmp_path: Path) -> None:
    write(place.root, {".split-ci.yaml": "forge: github\n"})
    write(tmp_path, {"review.json": dump(verdict(place.head, OPEN)), "old.json": dump(verdict("d" * 40, OPEN))})
    env = place.server.env()
    done = split_ci(place.root, "comment", "../review.json", "--format", "json", env=env)
    (shown,) = json.loads(done.stdout)["reviews"]
    assert (shown["id"], shown["status"], shown["inline"]) == ("one", "failure", 1)
    refused = split_ci(place.root, "comment", "../old.json", env=env, code=1)
    assert refused.stderr.splitlines()[0] == "split-ci: error: ../old.json: the result dddddddddddd is not here"
    assert git(place.root, "for-each-ref", "refs/notes") == ""


def test_no_call_approves_or_merges() -> None:
    """Of the client's whole text: the routes and words that would."""
    forbidden = re.compile(
        r"/merge\b|/merges\b|/dismissals|/auto-merge|APPROVE\b|REQUEST_CHANGES\b|enablePullRequestAutoMerge|mergePullRequest|graphql"
        r"|requested_reviewers|/approve\b|pending_deployments|/labels\b"
    )
    root = Path(package.__file__).parent
    texts = {path.name: path.read_text() for path in root.glob("forges/*.py")}
    assert len(texts) > 5
    assert not {name: found for name, text in texts.items() if (found := forbidden.findall(text))}
    reviewing = {name: re.findall(r'"event": *("?\w+"?)', text) for name, text in texts.items() if "/reviews" in text}
    assert reviewing == {"github_review.py": ['"COMMENT"']}
