"""`split-ci admit`: what a run may begin with, and where; what is refused; what is no fault and nothing to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.config import Config
from split_ci.git import Repo
from split_ci.notes import review_notes
from split_ci.steps.admit import standing_of
from split_ci.steps.record import record
from split_ci.store import Quarantine
from split_ci.turn import turn
from split_ci.verdict import CriterionDecision, Finding, Verdict
from tests.builders import commit, git, make_repo, spec, split_ci
from tests.invariants import untouched
from tests.results_of import exact, published, spec_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from split_ci.turn import Box
    from split_ci.verdict import Decision

ONE = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nuno\n```\n"
ACCEPT = "  - missing: nothing.txt"
PROSE = "### Instruct `a.txt`\nSay it in Italian.\n"
CONFIG = (
    "models: {cheap: {api: scripted, model: small, replies: r.json}}\nimplementers: [exact, cheap]\nlimits: {rounds: 2}\n"
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    files = {
        "a.txt": "one\n", ".split-ci.yaml": CONFIG, "r.json": '{"replies": []}',
        "specs/one.md": spec(ONE, accept=ACCEPT), "specs/prose.md": spec(ONE + PROSE, accept=ACCEPT),
        "specs/draft.md": spec(ONE, accept=ACCEPT).replace("status: ready", "status: draft"),
        "specs/broken.md": "no front matter\n", "specs/drifted.md": spec(ONE.replace("\none\n", "\ntwo\n"), accept=ACCEPT),
        "specs/after.md": spec(ONE, accept=ACCEPT, extra="needs: [one]\n"),
    }  # fmt: skip
    return make_repo(tmp_path / "r", files)


def ask(repo: Path, *args: str) -> dict[str, Any]:
    with untouched(repo):
        done = split_ci(repo, "admit", *args, "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def head(repo: Path, rev: str = "HEAD") -> str:
    return git(repo, "rev-parse", rev)


def made(repo: Path, id_: str = "one") -> str:
    """The result of a spec, published and recorded."""
    changeset = exact(repo, id_)._replace(outcome=exact(repo, "one").outcome)
    done = published(repo, changeset)
    record(Repo.find(str(repo)), [changeset])
    return str(done.head)


def reviewed(repo: Path, id_: str, decision: Decision, *findings: Finding) -> None:
    here = Repo.find(str(repo))
    there, base = head(repo, f"split-ci/{id_}"), head(repo, f"split-ci/{id_}~1")
    met = (CriterionDecision("a1", "met"),)
    verdict = Verdict(
        id_, spec_at(repo, id_, base).digest, base, there, "strong", False, decision, "Said.", findings, met, (), (),
        review="0" * 16,
    )  # fmt: skip
    with Quarantine(here) as quarantine:
        update = review_notes(quarantine, [verdict])
        assert update
        assert quarantine.admit([update]) == []


WRONG = Finding("a.txt", 1, "It is not Italian.")


def test_a_generation_without_a_result_begins_at_the_base(repo: Path) -> None:
    said = ask(repo, "one")
    assert said == {
        "go": True, "id": "one", "digest": spec_at(repo, "one").digest, "base": head(repo), "round": 1, "parent": None,
        "anew": False, "why": "this generation has no result yet",
    }  # fmt: skip


def test_an_older_base_is_kept(repo: Path) -> None:
    old = head(repo)
    commit(repo, {"b.txt": "b\n"})
    assert ask(repo, "one", "--base", old, "--digest", spec_at(repo, "one").digest)["base"] == old


def test_a_drifted_spec_is_for_the_ladder_to_say(repo: Path) -> None:
    assert ask(repo, "drifted")["go"] is True


def _landed(repo: Path) -> None:
    text = (repo / "specs/one.md").read_text()
    commit(repo, {"specs/one.md": None, "specs/landed/one.md": text})


def _approved(repo: Path) -> None:
    made(repo)
    reviewed(repo, "one", "approve")


def _foreign(repo: Path) -> None:
    made(repo)
    git(repo, "checkout", "-q", "split-ci/one")
    commit(repo, {"c.txt": "c\n"})
    git(repo, "checkout", "-q", "main")


def _rounds_over(repo: Path) -> None:
    made(repo, "prose")
    reviewed(repo, "prose", "request_changes", WRONG)
    commit(repo, {".split-ci.yaml": CONFIG.replace("rounds: 2", "rounds: 1")})


def _nobody(repo: Path) -> None:
    made(repo)
    reviewed(repo, "one", "request_changes", WRONG)


def _spec_s_fault(repo: Path) -> None:
    made(repo, "prose")
    reviewed(repo, "prose", "request_changes", WRONG._replace(cause="spec"))


STOPS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "S23 edited since": ("one", lambda r: commit(r, {"specs/one.md": spec(ONE, accept=ACCEPT, title="B")}), "superseded"),
    "S23 deleted since": ("one", lambda r: commit(r, {"specs/one.md": None}), "it is gone from the default branch"),
    "S23 renamed since": (
        "one", lambda r: commit(r, {"specs/one.md": None, "specs/uno.md": spec(ONE, accept=ACCEPT)}), "it is gone from",
    ),
    "F24 landed since": ("one", _landed, "it is gone from the default branch"),
    "a need that has not landed": ("after", lambda _: None, "it waits for one, which must land first"),
    "a result that is approved": ("one", _approved, "this generation has a result, and its review says approve"),
    "a person's commit": ("one", _foreign, "which is not the bot's: it is left alone"),
    "no round left": ("prose", _rounds_over, "its review asks for changes, and 1 rounds are over (limits.rounds)"),
    "nobody to make it": ("one", _nobody, "no implementer is there that may make them"),
    "the spec's own fault": ("prose", _spec_s_fault, "its review says request_changes"),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_what_is_no_fault_and_nothing_to_do(repo: Path, name: str) -> None:
    id_, happens, why = STOPS[name]
    asked = ["--base", head(repo), "--digest", spec_at(repo, id_).digest]
    happens(repo)
    said = ask(repo, id_, *asked)
    assert (said["go"], said["id"]) == (False, id_)
    assert why in said["why"]


def test_a_landed_spec_that_is_asked_for_anew(repo: Path) -> None:
    _landed(repo)
    assert ask(repo, "one")["why"] == "it has landed"


def _elsewhere(repo: Path) -> str:
    git(repo, "checkout", "-q", "-b", "topic")
    found = commit(repo, {"specs/one.md": spec(ONE, accept=ACCEPT, title="Mine")})
    git(repo, "checkout", "-q", "main")
    return found


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "S27 a base on another branch": (["one", "--base", "topic"], 1, "rule base: it is not on main: a spec is dispatched"),
    "a base that is nowhere": (["one", "--base", "0" * 40], 1, "rule base: no commit that this repository holds"),
    "a base that is an option": (["one", "--base=--all"], 1, "rule base: no commit that this repository holds"),
    "no such spec": (["two"], 1, "specs/two.md: rule spec: "),
    "a draft": (["draft"], 1, "specs/draft.md: rule status: it is a draft"),
    "a broken one": (["broken"], 1, "specs/broken.md:1: SP103: "),
    "another digest": (["one", "--digest", "0" * 64], 1, "specs/one.md: rule digest: it is "),
    "S01 a path": (["../one"], 2, "'../one' names no spec"),
    "S01 capitals": (["ONE"], 2, "'ONE' names no spec"),
    "S01 nothing": ([""], 2, "name a spec, or a pull request with --pull"),
    "a digest that is none": (["one", "--digest", "xyz"], 2, "--digest 'xyz': not 64 hex digits"),
    "a number that is none": (["--pull", "1; true"], 2, "--pull '1; true': not a number"),
    "a pull request that is none": (["--pull", "7"], 1, "#7: rule pull: no open pull request of a branch split-ci/"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(repo: Path, tmp_path: Path, name: str) -> None:
    args, code, message = REFUSED[name]
    _elsewhere(repo)
    output = tmp_path / "output"
    with untouched(repo):
        done = split_ci(
            repo, "admit", *args, "--format", "github", code=code, env={"GITHUB_OUTPUT": str(output)}
        )  # fmt: skip
    assert message in done.stderr
    assert not output.exists()


def test_a_result_without_a_review_is_gone_on_with(repo: Path) -> None:
    """K11: the run was cut off; its round is made out of what is kept."""
    base = head(repo)
    made(repo)
    commit(repo, {"b.txt": "b\n"})
    said = ask(repo, "one")
    assert (said["base"], said["round"], said["parent"]) == (base, 1, None)


@pytest.mark.parametrize(
    ("architect", "asked", "go"), [("strong", "round", True), ("strong", None, False), ("rules", "round", False)]
)
def test_a_review_that_did_not_come_to_an_end_is_made_again_for_a_person(
    repo: Path, architect: str, asked: Box | None, *, go: bool
) -> None:
    base, first = head(repo), made(repo)
    reviewed(repo, "one", "incomplete")
    there = Repo.find(str(repo))
    with there.objects() as objects:
        standing = standing_of(there, objects, spec_at(repo, "one", base))
    said = turn(there, Config(architect=architect), spec_at(repo, "one", base), base, standing, asked)
    assert (said.go, said.round, said.parent, head(repo, "split-ci/one")) == (go, 1, None, first)


def test_a_review_that_asks_for_changes_is_followed(repo: Path) -> None:
    base = head(repo)
    first = made(repo, "prose")
    commit(repo, {"b.txt": "b\n"})
    reviewed(repo, "prose", "request_changes", WRONG)
    said = ask(repo, "prose")
    assert (said["go"], said["base"], said["round"], said["parent"]) == (True, base, 2, first)


def test_an_edited_spec_begins_at_the_new_base(repo: Path) -> None:
    _approved(repo)
    new = commit(repo, {"specs/one.md": spec(ONE, accept=ACCEPT, title="Other")})
    said = ask(repo, "one")
    assert (said["go"], said["base"], said["round"]) == (True, new, 1)


def test_a_result_is_made_anew_where_there_is_a_newer_base(repo: Path) -> None:
    _approved(repo)
    assert "there is no newer base" in ask(repo, "one", "--anew")["why"]
    new = commit(repo, {"b.txt": "b\n"})
    said = ask(repo, "one", "--anew")
    assert (said["go"], said["base"], said["round"], said["parent"], said["anew"]) == (True, new, 1, None, True)


def test_outputs(repo: Path, tmp_path: Path) -> None:
    output, summary = tmp_path / "output", tmp_path / "summary"
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    split_ci(repo, "admit", "one", "--format", "github", env=env)
    digest = spec_at(repo, "one").digest
    assert output.read_text() == (f"go=true\nid=one\ndigest={digest}\nbase={head(repo)}\nround=1\nparent=\nanew=false\n")
    output.unlink()
    split_ci(repo, "admit", "after", "--format", "github", env=env)
    assert output.read_text() == "go=false\nid=after\n"
    assert "`it waits for one, which must land first`" in summary.read_text()


def test_words(repo: Path) -> None:
    assert split_ci(repo, "admit", "one").stdout == (
        f"one: round 1 from {head(repo)[:12]}: this generation has no result yet\n"
    )
    assert split_ci(repo, "admit", "after").stdout.startswith("after: nothing to do: it waits for one")
