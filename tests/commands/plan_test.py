from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.builders import commit, git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

LINES = "".join(f"line {n}\n" for n in range(1, 10))


def edit(line: int) -> str:
    return f"### Edit `a.txt`\nBefore:\n```\nline {line}\n```\nAfter:\n```\nnew {line}\n```\n"


SPECS = {
    "specs/a.md": spec(edit(1)),
    "specs/b.md": spec(edit(2), extra="needs: [a]\n"),
    "specs/c.md": spec("### Instruct `a.txt`\nSort the lines.\n"),
    "specs/d.md": spec(edit(4)).replace("status: ready", "status: draft"),
    "specs/e.md": spec(edit(77)),
    "specs/f.md": spec("### Create `f.txt`\n```\nf\n```\n", extra="needs: [old]\n"),
    "specs/landed/old.md": spec(edit(9)),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path, {"a.txt": LINES, **SPECS})


def plan(root: Path, *args: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(split_ci(root, "plan", "--format", "json", *args).stdout)
    jsonschema.validate(answer, json.loads((files("split_ci") / "schemas/plan.schema.json").read_text()))
    return answer


def result(root: Path, id_: str, digest: str, *, on_top: bool = False, ref: str = "refs/heads/split-ci/") -> None:
    """A branch that holds a result, as far as the plan can tell."""
    head = git(root, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", f"A change\n\nSpec: {id_}\nSpec-Digest: {digest}\n")
    if on_top:
        head = git(root, "commit-tree", "HEAD^{tree}", "-p", head, "-m", "by hand")
    git(root, "update-ref", ref + id_, head)


def digest(id_: str) -> str:
    return hashlib.sha256(SPECS[f"specs/{id_}.md"].encode()).hexdigest()


def test_waves_states_and_overlaps(root: Path) -> None:
    answer = plan(root)
    assert answer["base"] == git(root, "rev-parse", "HEAD")
    assert answer["waves"] == [["a", "f"], ["b"], ["c"]]
    specs = {one["id"]: one for one in answer["specs"]}
    assert {id_: one["state"] for id_, one in specs.items()} == {
        "a": "pending", "b": "pending", "c": "pending", "d": "draft", "e": "invalid", "f": "pending",
    }  # fmt: skip
    assert specs["a"]["digest"] == digest("a")
    assert (specs["b"]["needs"], specs["b"]["waits_for"], specs["b"]["overlaps"]) == (["a"], ["a"], ["c"])
    assert (specs["f"]["needs"], specs["f"]["waits_for"]) == (["old"], [])
    assert specs["c"]["overlaps"] == ["a", "b"]
    assert "specs/e.md:15: SP301" in specs["e"]["reason"]


@pytest.mark.parametrize("ref", ["refs/heads/split-ci/", "refs/remotes/origin/split-ci/"])
@pytest.mark.parametrize("on_top", [False, True], ids=["the bot's head", "a person's commit on top"])
def test_a_result_of_this_text_is_done(root: Path, ref: str, on_top: bool) -> None:
    result(root, "a", digest("a"), on_top=on_top, ref=ref)
    answer = plan(root)
    assert {one["id"]: one["state"] for one in answer["specs"]}["a"] == "done"
    assert answer["waves"] == [["b", "f"], ["c"]]


def test_a_result_of_another_text_is_not(root: Path) -> None:
    result(root, "a", "0" * 64)
    assert "a" in plan(root)["waves"][0]


def test_exact_specs_cost_nothing_and_a_price_is_known_or_not(root: Path) -> None:
    specs = {one["id"]: one for one in plan(root)["specs"]}
    assert (specs["a"]["exact"], specs["a"]["estimate"]) == (True, {"input": 0, "output": 0, "usd": 0.0})
    assert specs["c"]["estimate"]["input"] > 0
    assert specs["c"]["estimate"]["usd"] is None
    model = "models:\n  cheap: {api: openai, model: m, key: K, price: {input: 1, cached: 1, output: 1}}\nimplementers: [exact, cheap]\n"
    commit(root, {".split-ci.yaml": model})
    estimate = {one["id"]: one for one in plan(root)["specs"]}["c"]["estimate"]
    assert estimate["usd"] == pytest.approx((estimate["input"] + estimate["output"]) / 1e6)


def test_the_plan_is_that_of_a_commit(root: Path) -> None:
    first = git(root, "rev-parse", "HEAD")
    commit(root, {"specs/a.md": None, "specs/b.md": None})
    assert plan(root)["waves"] == [["c", "f"]]
    assert plan(root, "--at", first)["waves"] == [["a", "f"], ["b"], ["c"]]


def test_text(root: Path) -> None:
    said = split_ci(root, "plan").stdout
    assert said.startswith("wave 1\n  a  (overlaps c; exact, costs nothing)\n")
    assert "  b  (after a; overlaps c; exact, costs nothing)\n" in said
    assert "  d: draft\n  e: invalid: specs/e.md:15: SP301" in said
    assert "4 to dispatch at " in said.splitlines()[-1]


def test_github(root: Path) -> None:
    lines = split_ci(root, "plan", "--format", "github").stdout.splitlines()
    assert lines[0] == "::notice title=split-ci plan::wave 1: a, f"
    assert lines[-1].startswith("::warning file=specs/e.md,title=split-ci plan::specs/e.md:15: SP301")


def test_nothing_to_do(tmp_path: Path) -> None:
    root = make_repo(tmp_path, {"a.txt": "x\n"})
    assert split_ci(root, "plan").stdout == f"nothing to dispatch at {git(root, 'rev-parse', 'HEAD')[:12]}\n"


def test_an_unborn_branch(tmp_path: Path) -> None:
    assert split_ci(make_repo(tmp_path), "plan", code=2).stderr.startswith(
        "split-ci: error: no commit is named 'HEAD' here\n"
    )


def test_a_spec_that_needs_a_model_says_so_where_none_is_configured(root: Path) -> None:
    needs = "it needs a model rung: add one to `implementers`"
    assert {one["id"] for one in plan(root)["specs"] if one["reason"] == needs} == {"c"}
    assert needs in split_ci(root, "plan").stdout
    models = "models:\n  m: {api: openai, model: x, base_url: 'http://127.0.0.1:1/v1'}\nimplementers: [exact, m]\n"
    commit(root, {".split-ci.yaml": models})
    assert needs not in split_ci(root, "plan").stdout


def test_what_is_all_exact_has_no_price(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "exact", {"a.txt": LINES, "specs/a.md": spec(edit(1))})
    assert split_ci(repo, "plan").stdout.splitlines()[-1].endswith(", all exact")
