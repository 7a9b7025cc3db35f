"""The JSON Schemas of the package: the front matter's agrees with the parser, the answers' with what the commands print."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

import jsonschema
import pytest
import yaml

from split_ci import examined, ports, problems, verdict
from split_ci.spec import Spec, parse_spec
from split_ci.steps import init, plan, status
from tests.builders import commit, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = files("split_ci").joinpath("schemas")
SCHEMAS = {path.name.partition(".")[0]: json.loads(path.read_text()) for path in FOLDER.iterdir()}
FRONT = SCHEMAS["frontmatter"]
ACCEPT = "accept: [{missing: a}]\n"
BODY = "---\n\n## Changes\n\n### Delete `a`\n"
OID = "0a" * 20

GOOD = {
    "the least": "title: A change\n" + ACCEPT,
    "everything": """\
title: Fold the two loaders into one
status: ready
needs: [rename-hooks]
implementer: cheap
read: ["docs/loading.md"]
allow: ["tests/data/**"]
protected: [".github/workflows/ci.yml"]
waive: [SP412]
accept:
  - run: python -m pytest -q tests/test_loader.py
  - run: python -m pytest -q
    guard: true
  - run: ./check.sh
    red: {exit: 3, text: "no such skill"}
  - exists: src/loader.py
  - missing: src/old_loader.py
  - lacks: {in: "**/*.py", text: old_loader}
  - contains: {in: docs/loading.md, regex: "parse"}
  - blob: {path: a, id: 78981922613b2afb6025042ff6bd878ac1994e85, mode: "100755"}
limits: {rounds: 3, minutes: 10, tokens: 60000, usd: 0.05}
""",
    "a guard that is said not to be one": "title: T\naccept: [{missing: a, guard: false}]\n",
    "72 characters": f"title: {'x' * 72}\n" + ACCEPT,
}
BAD = {
    "no title": ACCEPT,
    "no criteria": "title: T\n",
    "no criterion": "title: T\naccept: []\n",
    "guards alone": "title: T\naccept: [{missing: a, guard: true}]\n",
    "an unknown key": "title: T\npermisions: []\n" + ACCEPT,
    "a long title": f"title: {'x' * 73}\n" + ACCEPT,
    "an empty title": "title: ''\n" + ACCEPT,
    "a blank behind the title": "title: 'T '\n" + ACCEPT,
    "a number for a title": "title: 7\n" + ACCEPT,
    "a title that YAML takes for a flag": "title: NO\n" + ACCEPT,
    "an unknown status": "title: T\nstatus: done\n" + ACCEPT,
    "a need that is no id": "title: T\nneeds: [A_b]\n" + ACCEPT,
    "a need twice": "title: T\nneeds: [a, a]\n" + ACCEPT,
    "a word for a list": "title: T\nread: docs/a.md\n" + ACCEPT,
    "a number in a list": "title: T\nallow: [7]\n" + ACCEPT,
    "an implementer that is no name": "title: T\nimplementer: a b\n" + ACCEPT,
    "a code that can't be waived": "title: T\nwaive: [SP201]\n" + ACCEPT,
    "a code that is none": "title: T\nwaive: [all]\n" + ACCEPT,
    "no rounds": "title: T\nlimits: {rounds: 0}\n" + ACCEPT,
    "half a token": "title: T\nlimits: {tokens: 0.5}\n" + ACCEPT,
    "no money": "title: T\nlimits: {usd: 0}\n" + ACCEPT,
    "an unknown limit": "title: T\nlimits: {round: 1}\n" + ACCEPT,
    "a criterion of two kinds": "title: T\naccept: [{missing: a, exists: b}]\n",
    "a criterion of no kind": "title: T\naccept: [{guard: true}, {missing: a}]\n",
    "a criterion that is a word": "title: T\naccept: [make test]\n",
    "an unknown key of a criterion": "title: T\naccept: [{missing: a, gard: true}]\n",
    "a guard that is a word": "title: T\naccept: [{missing: a}, {exists: b, guard: always}]\n",
    "red without run": "title: T\naccept: [{missing: a, red: {exit: 1}}]\n",
    "red and guard": "title: T\naccept: [{missing: a}, {run: make, guard: true, red: {exit: 1}}]\n",
    "red that says nothing": "title: T\naccept: [{run: make, red: {}}]\n",
    "red that is broken": "title: T\naccept: [{run: make, red: {exit: 127}}]\n",
    "text and regex": "title: T\naccept: [{lacks: {in: a, text: b, regex: c}}]\n",
    "neither text nor regex": "title: T\naccept: [{lacks: {in: a}}]\n",
    "nowhere to look": "title: T\naccept: [{lacks: {text: a}}]\n",
    "half a blob id": "title: T\naccept: [{blob: {path: a, id: abc1234}}]\n",
    "a mode without quotes": f"title: T\naccept: [{{blob: {{path: a, id: {OID}, mode: 100644}}}}]\n",
    "the mode of a symlink": f"title: T\naccept: [{{blob: {{path: a, id: {OID}, mode: '120000'}}}}]\n",
}


def complaints(front: str) -> list[str]:
    """The messages of the parser about a front matter."""
    parsed = parse_spec(f"---\n{front}{BODY}".encode(), "specs/a.md")
    return [f"{problem.code} {problem.message}" for problem in parsed.problems if problem.severity == "error"]


def validator(schema: dict[str, Any]) -> jsonschema.protocols.Validator:
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.mark.parametrize("front", GOOD.values(), ids=GOOD)
def test_the_parser_and_the_schema_take_it(front: str) -> None:
    assert complaints(front) == []
    validator(FRONT).validate(yaml.safe_load(front))


@pytest.mark.parametrize("front", BAD.values(), ids=BAD)
def test_the_parser_and_the_schema_refuse_it(front: str) -> None:
    assert complaints(front) != []
    assert not validator(FRONT).is_valid(yaml.safe_load(front))


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema(name: str) -> None:
    validator(SCHEMAS[name]).check_schema(SCHEMAS[name])


def test_the_schema_knows_every_key_of_a_spec() -> None:
    beside = {"id", "path", "digest", "data", "changes", "why", "checklist", "lines"}
    assert set(FRONT["properties"]) == set(Spec._fields) - beside
    waivable = [code for code, row in problems.CODES.items() if row.waivable]
    assert FRONT["properties"]["waive"]["items"]["enum"] == waivable


ENUMERATIONS = {
    "severity": ("check", get_args(problems.Severity)),
    "outcome": ("run", (*get_args(ports.OutcomeName), None)),
    "decision": ("run", (*get_args(verdict.Decision), None)),
    "cause": ("run", get_args(verdict.Cause)),
    "state of plan": ("plan", get_args(plan.State)),
    "state of status": ("status", status.STATES),
    "state of doctor": ("doctor", get_args(examined.State)),
    "action": ("init", get_args(init.Action)),
}


def enumerations(schema: object, name: str) -> list[list[str | None]]:
    """The enumerations of every property of that name."""
    if isinstance(schema, list):
        return [found for each in schema for found in enumerations(each, name)]
    if not isinstance(schema, dict):
        return []
    own = [schema[name]["enum"]] if isinstance(schema.get(name), dict) and "enum" in schema[name] else []
    return own + [found for each in schema.values() for found in enumerations(each, name)]


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_every_enumeration_is_the_code_s(name: str) -> None:
    file, words = ENUMERATIONS[name]
    assert enumerations(SCHEMAS[file], name.partition(" ")[0]) == [list(words)]


def test_what_the_commands_print_is_as_the_schema_says(tmp_path: Path) -> None:
    edit = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\n1\n```\n"
    specs = {
        "specs/good.md": spec(edit, accept="  - lacks: {in: a.txt, text: one}"),
        "specs/bad.md": spec("### Delete `b.txt`\n"),
    }
    repo = make_repo(tmp_path / "r", {"a.txt": "one\n", ".split-ci.yaml": "sandbox: none\n", **specs})
    answers = {}
    for name in ("check", "plan", "doctor", "init"):
        answers[name] = json.loads(split_ci(repo, name, "--format", "json", code=None).stdout)
    commit(repo, {})
    answers["run"] = json.loads(split_ci(repo, "run", "good", "--format", "json").stdout)
    answers["status"] = json.loads(split_ci(repo, "status", "--format", "json").stdout)
    for name, answer in answers.items():
        validator(SCHEMAS[name]).validate(answer)
    assert {one["id"]: one["ok"] for one in answers["check"]["specs"]} == {"good": True, "bad": False}
    assert [one["outcome"] for one in answers["run"]["specs"]] == ["done"]
    assert {one["id"]: one["state"] for one in answers["status"]["specs"]} == {"good": "approved", "bad": "invalid"}
