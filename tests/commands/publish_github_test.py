"""`publish` to GitHub: a branch at the origin and one pull request, whatever happens in between."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.forges.github import WITHDRAWN
from split_ci.pull_state import is_edited, read_state, ticked
from tests.builders import commit, git, spec
from tests.forges.conftest import hub
from tests.forges.hub import ACCEPT, EDIT, Hub
from tests.github import Answer, Fault
from tests.github.world import ANOTHER_APP, PERSON, STRANGER, Comment
from tests.github.world import Pull as Shown
from tests.invariants import leftovers, untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.github import Actor

__all__ = ["hub"]  # a fixture
PUBLISH = ("publish", "../one.json", "--accept", "../one.results.json")
ONE = "refs/heads/split-ci/one"
NEW = {"specs/one.md": spec(EDIT.format("uno!"), accept=ACCEPT)}


def the_pull(hub: Hub) -> Shown:
    """The one that there is."""
    (pull,) = hub.server.world.pulls
    return pull


def body(hub: Hub) -> str:
    return the_pull(hub).body or ""


def test_a_branch_and_its_pull_request(hub: Hub) -> None:
    hub.make()
    with untouched(hub.repo, ()):
        told = hub.publish()
    head = hub.refs()[ONE]
    pull = the_pull(hub)
    assert (told["outcome"], told["head"], told["pull"]) == ("done", head, 1)
    assert told["url"] == "https://github.com/ada/one/pull/1"
    assert hub.refs()["refs/split-ci/attempts/one/1"] == head
    assert (pull.title, pull.head_sha, pull.base, pull.author.type) == ("A change", head, "main", "Bot")
    state = read_state(body(hub))
    assert state is not None
    assert (state.id, state.head, state.round) == ("one", head, 1)
    assert not is_edited(body(hub))
    assert git(hub.bare, "show", f"{head}:a.txt") == "uno"
    done, pictured = hub.refs(), vars(pull).copy()
    again = hub.publish()
    assert (again["outcome"], again["pull"], again["head"]) == ("unchanged", 1, head)
    assert hub.refs() == done
    assert vars(the_pull(hub)) == pictured
    assert hub.server.writes == ["POST /pulls"]
    said = hub.cli(*PUBLISH).stdout
    assert said == (
        f"one: unchanged {head[:12]} on split-ci/one: split-ci/one holds the result of this generation\n"
        "  https://github.com/ada/one/pull/1\n"
    )


def test_a_new_generation_is_shown_in_the_same_pull_request(hub: Hub) -> None:
    hub.make()
    hub.publish()
    first = read_state(body(hub))
    hub.land({"specs/one.md": spec(EDIT.format("uno!"), accept=ACCEPT, title="A better change")})
    hub.make()
    assert hub.publish()["outcome"] == "done"
    pull = the_pull(hub)
    second = read_state(body(hub))
    assert first is not None
    assert second is not None
    assert (pull.title, pull.head_sha, second.head) == ("A better change", hub.refs()[ONE], hub.refs()[ONE])
    assert second.digest != first.digest


@pytest.mark.parametrize("crlf", [False, True])
def test_a_persons_words_in_the_pull_request_stay(hub: Hub, crlf: bool) -> None:
    hub.make()
    hub.publish()
    text = body(hub).replace("## What next", "I looked at this twice.\n\n## What next")
    edited = text.replace("\n", "\r\n") if crlf else text
    the_pull(hub).body = edited
    hub.land(NEW)
    hub.make()
    assert hub.publish()["outcome"] == "done"
    assert the_pull(hub).body == edited


@pytest.mark.parametrize("crlf", [False, True])
def test_a_tick_is_no_edit_and_is_seen(hub: Hub, crlf: bool) -> None:
    hub.make()
    hub.publish()
    text = body(hub).replace("- [ ] another round", "- [x] another round")
    the_pull(hub).body = text.replace("\n", "\r\n") if crlf else text
    assert ticked(body(hub)) == {"round"}
    assert not is_edited(body(hub))
    hub.land(NEW)
    hub.make()
    hub.publish()
    assert ticked(body(hub)) == set()


def a_person_closes(hub: Hub) -> None:
    hub.server.world.close(the_pull(hub), PERSON)


def the_branch_goes(hub: Hub) -> None:
    git(hub.bare, "update-ref", "-d", ONE)


def test_what_a_person_closed_stays_closed_until_the_spec_changes(hub: Hub) -> None:
    hub.make()
    hub.publish()
    a_person_closes(hub)
    the_branch_goes(hub)
    before = hub.refs()
    told = hub.publish(code=1)
    assert told["outcome"] == "blocked"
    assert told["reason"].startswith(
        "https://github.com/ada/one/pull/1 was closed by a person: it stays so until the spec changes"
    )
    assert hub.refs() == before
    assert the_pull(hub).state == "closed"
    hub.land(NEW)
    hub.make()
    assert hub.publish()["pull"] == 2
    assert [pull.state for pull in hub.server.world.pulls] == ["closed", "open"]


def test_what_was_dropped_can_be_published_again(hub: Hub) -> None:
    hub.make()
    hub.publish()
    told = hub.told("drop", "one")
    assert (told["outcome"], told["branch"], told["attempts"], told["pull"]) == ("done", "split-ci/one", 1, 1)
    assert [ref for ref in hub.refs() if "split-ci" in ref] == []
    (comment,) = hub.server.world.comments
    assert comment.body.startswith("Withdrawn with `split-ci drop`.")
    assert the_pull(hub).state == "closed"
    hub.told("drop", "one")
    assert len(hub.server.world.comments) == 1
    assert hub.publish()["pull"] == 2


def test_what_a_person_dropped_can_be_published_again(hub: Hub) -> None:
    """`drop` is a person's to type, with a token of their own; whoever only comments has dropped nothing."""
    hub.make()
    hub.publish()
    hub.cli("drop", "one", token="ada-token")
    assert [(c.author.login, c.body.endswith(WITHDRAWN)) for c in hub.server.world.comments] == [("ada", True)]
    assert "this generation has no result yet" in hub.cli("admit", "one").stdout
    assert hub.publish()["pull"] == 2


@pytest.mark.parametrize("author", [STRANGER, ANOTHER_APP], ids=lambda one: one.login)
def test_who_says_that_the_bot_withdrew_it(hub: Hub, author: Actor) -> None:
    """What a person closed stays closed, also where an App repeats to us what it was told to say."""
    hub.make()
    hub.publish()
    a_person_closes(hub)
    hub.server.world.comments.append(Comment(9, 1, author, f"Hello!\n\n{WITHDRAWN}", hub.server.world.now()))
    assert hub.publish(code=1)["outcome"] == "blocked"


def test_dropping_what_a_person_closed_gives_it_free(hub: Hub) -> None:
    hub.make()
    hub.publish()
    a_person_closes(hub)
    assert hub.publish(code=1)["outcome"] == "blocked"
    hub.cli("drop", "one")
    assert hub.publish()["pull"] == 2


def test_nothing_to_drop(hub: Hub) -> None:
    assert "there is no result of 'one'" in hub.cli("drop", "one", code=2).stderr
    assert hub.server.writes == []


def test_what_is_merged_is_not_opened_again(hub: Hub) -> None:
    hub.make()
    head = hub.publish()["head"]
    git(hub.bare, "update-ref", "refs/heads/main", head)
    hub.server.world.settle()
    the_branch_goes(hub)
    before = hub.refs()
    told = hub.publish()
    assert (told["outcome"], told["pull"]) == ("unchanged", None)
    assert told["reason"] == "https://github.com/ada/one/pull/1 has merged the result of this generation"
    assert hub.refs() == before
    assert len(hub.server.world.pulls) == 1


def strangers(hub: Hub, **fields: Any) -> None:
    refs = hub.refs()
    made = {
        "title": "Mine",
        "body": "",
        "head": "split-ci/one",
        "base": "main",
        "base_sha": refs["refs/heads/main"],
        **fields,
    }
    made.setdefault("head_sha", refs.get(ONE, refs["refs/heads/main"]))
    hub.server.world.pulls.append(Shown(hub.server.world.number(), STRANGER, made, hub.server.world.now()))


def test_a_strangers_pull_request_from_the_branch_is_left_alone(hub: Hub) -> None:
    """P04: it stands there first, with the bot's own mark in it."""
    git(hub.repo, "push", "-q", "origin", f"{commit(hub.repo, {'b.txt': 'b'})}:{ONE}")
    git(hub.repo, "reset", "-q", "--hard", "HEAD~1")
    hub.make()
    strangers(hub, body='<!-- split-ci {"id":"one"} -->')
    told = hub.publish(code=1)
    assert told["outcome"] == "blocked"
    assert told["reason"] == "https://github.com/ada/one/pull/1 is mallory's, not the bot's: it is left alone"
    assert hub.server.writes == []


def test_a_pull_request_of_a_fork_or_another_base_is_not_taken_for_ours(hub: Hub) -> None:
    hub.make()
    hub.publish()
    git(hub.bare, "update-ref", "refs/heads/release", "main")
    the_pull(hub).base = "release"  # a person turned it there
    assert hub.publish()["pull"] == 1
    assert the_pull(hub).base == "release"


def test_a_base_that_moved_on_is_not_merged_and_a_conflict_is_said(hub: Hub) -> None:
    """P13, P14."""
    hub.make()
    base = git(hub.repo, "rev-parse", "HEAD")
    hub.land({"b.txt": "elsewhere\n"})
    hub.publish()
    assert git(hub.bare, "rev-parse", f"{ONE}~1") == base
    assert "Can't be merged" not in body(hub)
    hub.land({"a.txt": "two\n"})
    hub.publish()
    assert "**Can't be merged as it is:** the default branch changed `a.txt` since: " in body(hub)


def test_a_repository_that_was_renamed(hub: Hub) -> None:
    """Under its former name too there is one pull request, and what a person closed is seen."""
    hub.make()
    world = hub.server.world
    world.former.append("bo/zero")
    told = json.loads(hub.cli(*PUBLISH, "--format", "json", GITHUB_REPOSITORY="bo/zero").stdout)
    assert told["pull"] == 1
    assert json.loads(hub.cli(*PUBLISH, "--format", "json", GITHUB_REPOSITORY="bo/zero").stdout)["pull"] == 1
    a_person_closes(hub)
    assert "was closed by a person" in hub.cli(*PUBLISH, GITHUB_REPOSITORY="bo/zero", code=1).stdout


def test_a_clone_without_history(hub: Hub) -> None:
    """As the workflows' checkout makes it by default."""
    hub.land({"b.txt": "later\n"})
    hub.make()
    hub.repo.rename(hub.root / "whole")
    git(hub.root, "clone", "-q", "--depth", "1", f"file://{hub.bare}", "r")
    with untouched(hub.repo, ()):
        assert hub.publish()["pull"] == 1
    assert git(hub.bare, "rev-list", "--count", ONE) == "3"
    assert hub.publish()["outcome"] == "unchanged"


def test_a_persons_commit_on_the_branch_is_left_alone(hub: Hub) -> None:
    hub.make()
    hub.publish()
    git(hub.repo, "fetch", "-q", "origin", f"{ONE}:refs/heads/theirs")
    git(hub.repo, "checkout", "-q", "theirs")
    theirs = commit(hub.repo, {"a.txt": "mine\n"})
    git(hub.repo, "push", "-q", "origin", f"{theirs}:{ONE}")
    git(hub.repo, "checkout", "-q", "main")
    hub.land(NEW)
    hub.make()
    told = hub.publish(code=1)
    assert told["reason"] == f"split-ci/one holds {theirs[:12]}, which is not the bot's: it is left alone"
    assert hub.refs()[ONE] == theirs
    assert told["pull"] is None
    assert hub.told("drop", "one", code=1)["outcome"] == "blocked"
    assert the_pull(hub).state == "open"
    kept = hub.told("drop", "one", "--force")
    assert hub.refs()[kept["kept"]] == theirs


def test_a_branch_that_a_person_takes_away_between(hub: Hub) -> None:
    """C07: pushed, gone, and only then a pull request is asked for."""
    hub.make()
    hub.server.faults.append(Fault(method="GET", path="/pulls$", skip=2, passes=True, call=lambda: the_branch_goes(hub)))
    told = hub.publish(code=1)
    assert told["outcome"] == "blocked"
    assert "422: Validation Failed; head invalid" in told["reason"]
    assert hub.server.world.pulls == []
    assert hub.publish()["pull"] == 1


def no_push(hub: Hub, words: str) -> None:
    hook = hub.bare / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho {words} >&2; exit 1\n")
    hook.chmod(0o755)


STOPS: dict[str, tuple[Callable[[Hub], object], int, str, str]] = {
    "F05 the setting": (
        lambda hub: setattr(hub.server.world, "actions_may_open_pulls", False), 4,
        "403: GitHub Actions is not permitted to create or approve pull requests.", "tick `Allow GitHub Actions"),
    "F06 a permission": (
        lambda hub: hub.server.world.tokens.update(
            {"bot-token": hub.server.world.tokens["bot-token"]._replace(may=frozenset({"contents"}))}), 4,
        "403: Resource not accessible by integration", "give the token `pull-requests: write`"),
    "C09 the token is revoked between": (
        lambda hub: hub.server.faults.append(Fault(
            Answer(401, {"message": "Bad credentials"}), method="POST", call=hub.server.world.tokens.clear)), 4,
        "401: Bad credentials", "run this job again"),
    "F21 a ruleset": (
        lambda hub: no_push(hub, "GH013: Repository rule violations found"), 1,
        "GH013: Repository rule violations found", "Rulesets"),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_what_stops_it_is_said_and_mended(hub: Hub, name: str) -> None:
    """With one line and its remedy; and once it is mended, the same command comes to the same end."""
    hub.make()
    plant, code, said, hint = STOPS[name]
    world = hub.server.world
    before = (dict(world.tokens), world.actions_may_open_pulls)
    plant(hub)
    done = hub.cli(*PUBLISH, code=code)
    lines = done.stderr.splitlines()
    assert said in lines[0]
    assert hint in lines[1]
    assert len(lines) == 2
    assert "bot-token" not in done.stderr + done.stdout
    assert world.pulls == []
    world.tokens, world.actions_may_open_pulls = before
    shutil.rmtree(hub.bare / "hooks")
    assert hub.publish()["pull"] == 1
    assert hub.server.writes.count("POST /pulls") <= 2
    assert leftovers(hub.repo) == []


def test_the_outputs_of_a_workflows_step(hub: Hub) -> None:
    hub.make()
    out, summary = hub.root / "out", hub.root / "summary"
    done = hub.cli(*PUBLISH, "--format", "github", GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY=str(summary))
    assert out.read_text() == f"outcome=done\nbranch=split-ci/one\nhead={hub.refs()[ONE]}\npull=1\n"
    assert "### one: done\n\n#1\n" in summary.read_text()
    assert "| a1 | `a.txt contains 'uno'` | yes | yes |" in summary.read_text()
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    a_person_closes(hub)
    out.unlink()
    hub.cli(*PUBLISH, "--format", "github", GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY=str(summary), code=1)
    assert out.read_text() == "outcome=blocked\nbranch=\nhead=\npull=\n"


def test_status_shows_pull_requests(hub: Hub) -> None:
    hub.make()
    hub.publish()
    (one,) = hub.told("status")["specs"]
    assert (one["state"], one["pull"], one["branch"]) == ("done", 1, "split-ci/one")
    assert "split-ci/one #1" in hub.cli("status").stdout
    a_person_closes(hub)
    (one,) = hub.told("status")["specs"]
    assert (one["state"], one["pull"], one["reason"]) == ("blocked", 1, "#1 was closed by a person")
    asked = len(hub.server.log)
    (one,) = hub.told("status", "--offline")["specs"]
    assert (one["pull"], len(hub.server.log)) == (None, asked)
    done = hub.cli("status", GITHUB_TOKEN="", GH_TOKEN="")
    assert "pull requests aren't shown: forge: github: none of GITHUB_TOKEN and GH_TOKEN is set" in done.stderr
