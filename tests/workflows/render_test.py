"""How the workflows are rendered, and that those of this project are just that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from split_ci.commands.init import keys_for
from split_ci.config import find_config
from split_ci.flights import TITLE, title_of
from split_ci.git import Repo
from split_ci.steps.init import setting
from split_ci.workflows import ACTION, PINS, REQUIREMENTS, SOURCE, WORKFLOWS, Setting, marked, ours, render

ROOT = Path(__file__).resolve().parents[2]
SPEC = ".github/workflows/split-ci-spec.yml"
DISPATCH = ".github/workflows/split-ci-dispatch.yml"


def test_those_of_this_project_are_what_init_writes() -> None:
    repo = Repo.find(str(ROOT))
    here = setting(repo, find_config(repo, {}), keys_for(repo))._replace(branch="main")
    wanted = {**render(here), SOURCE: marked(".\n")}
    assert {path: (ROOT / path).read_text() for path in wanted} == wanted


def test_nothing_stays_to_be_filled_in() -> None:
    for text in render(Setting("main", implementer_keys=("A",))).values():
        assert not re.search(r"@[A-Z_]+@", text)


@pytest.mark.parametrize("keys", [(), ("ONE_KEY",), ("ONE_KEY", "OTHER_KEY")], ids=str)
def test_each_model_is_given_its_own_keys_and_no_other(keys: tuple[str, ...]) -> None:
    jobs = yaml.safe_load(render(Setting("main", implementer_keys=keys, architect_keys=("STRONG_KEY",)))[SPEC])["jobs"]
    (implement,) = [step for step in jobs["implement"]["steps"] if "split-ci implement" in step.get("run", "")]
    assert {name: value for name, value in implement["env"].items() if "secrets" in value} == {
        key: f"${{{{ secrets.{key} }}}}" for key in keys
    }
    assert ("environment" in jobs["implement"]) is bool(keys)
    (review,) = [step for step in jobs["review"]["steps"] if "split-ci review" in step.get("run", "")]
    assert review["env"]["STRONG_KEY"] == "${{ secrets.STRONG_KEY }}"
    assert jobs["review"]["environment"] == {"name": "split-ci-architect", "deployment": False}


@pytest.mark.parametrize(
    ("minutes", "rounds", "step", "job"), [(10.0, 3, 50, 70), (0.1, 1, 21, 41), (1440.0, 100, 330, 350)], ids=str
)
def test_a_slow_step_ends_before_its_job_does(minutes: float, rounds: int, step: int, job: int) -> None:
    implement = yaml.safe_load(render(Setting("main", minutes=minutes, rounds=rounds))[SPEC])["jobs"]["implement"]
    assert implement["timeout-minutes"] == job
    assert [each["timeout-minutes"] for each in implement["steps"] if "timeout-minutes" in each] == [step]


NAMES = {
    "plain": ("main", "specs", ["main"], ["specs/**"]),
    "a path": ("release/1.x", "docs/specs", ["release/1.x"], ["docs/specs/**"]),
    "what filters take for a pattern": ("c++", "sp*c[s]", ["c\\+\\+"], ["sp\\*c\\[s\\]/**"]),
    "what YAML takes for its own": ('a"b', "ü: #", ['a"b'], ["ü: #/**"]),
}


@pytest.mark.parametrize(("branch", "specs", "branches", "paths"), NAMES.values(), ids=NAMES)
def test_names_are_matched_as_they_are(branch: str, specs: str, branches: list[str], paths: list[str]) -> None:
    push = yaml.safe_load(render(Setting(branch, specs))[DISPATCH])[True]["push"]
    assert push == {"branches": branches, "paths": paths}


def test_pins_are_commits_with_the_version_they_stand_for() -> None:
    for pin in PINS.values():
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)
    assert set(PINS) == set(re.findall(r"uses: @(\w+)@", "".join(map(template, [*WORKFLOWS, "action.yml"]))))


def template(name: str) -> str:
    return (ROOT / "split_ci/templates/github" / name).read_text()


def test_what_is_installed_has_hashes_and_names_no_index() -> None:
    text = render(Setting("main"))[REQUIREMENTS]
    entries = text.replace("\\\n", " ").splitlines()[1:]
    assert [
        entry for entry in entries if not re.match(r"[a-z0-9.-]+(?:\[[a-z, ]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
    ] == []
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|file:", text)
    assert {"anthropic", "openai", "githubkit", "pyyaml", "hatchling"} <= {entry.partition("==")[0] for entry in entries}


OTHERS = {
    "nothing": "",
    "a file of their own": "name: mine\n",
    "one line more": marked("a\n") + "b\n",
    "one line less": marked("a\nb\n").removesuffix("b\n"),
    "the mark alone": marked("").partition("sha256")[0],
    "other line ends": marked("a\nb\n").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_what_somebody_changed_is_theirs(text: str) -> None:
    assert not ours(text)


@pytest.mark.parametrize("text", ["", "a\n", "no line end"], ids=repr)
def test_what_is_as_it_was_written_is_ours(text: str) -> None:
    assert ours(marked(text))


def test_the_action_needs_what_init_writes() -> None:
    action = render(Setting("main"))[ACTION]
    assert REQUIREMENTS in action
    assert SOURCE in action


@pytest.mark.parametrize(
    ("spec", "digest", "pull"), [("fold-loaders", "0" * 64, ""), ("", "", "12"), ("fold-loaders", "", "12")], ids=str
)
def test_dispatch_reads_what_a_run_is_of_out_of_its_name(spec: str, digest: str, pull: str) -> None:
    name = yaml.safe_load(render(Setting("main"))[SPEC])["run-name"]
    expressions = {
        "${{ inputs.spec || '-' }}": spec or "-",
        "${{ inputs.digest || '-' }}": digest or "-",
        "${{ inputs.pull && format('pull {0}', inputs.pull) || '' }}": f"pull {pull}" if pull else "",
    }
    assert name == "split-ci " + " ".join(expressions)
    for expression, text in expressions.items():
        name = name.replace(expression, text)
    found = TITLE.fullmatch(name)
    assert found
    assert (found["id"], found["digest"], found["pull"]) == (spec or "-", digest or "-", pull or None)
    assert name.startswith(title_of(spec, digest)) or not (spec and digest)
