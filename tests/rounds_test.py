"""`implement` in a job of its own: rounds with criteria between them, and nothing paid twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from split_ci import ledger, results, sandbox
from split_ci.changeset import load
from split_ci.git import Repo
from split_ci.main import main
from split_ci.ports import Usage
from tests.builders import commit, git, make_repo, spec, split_ci
from tests.models.answers import block

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONFIG = """\
models:
  cheap: {api: scripted, model: small, replies: replies.json}
implementers: [exact, cheap]
limits: {rounds: %d, usd_per_day: %s}
"""
USAGE = {"input": 900, "cached": 100, "output": 50, "usd": 0.001}
ACCEPT = "  - contains: {in: docs/app.md, text: newest}\n  - run: grep -q App docs/app.md\n    guard: true"
RED = block("docs/app.md", "Run it.\n", "Run the new one.\n")
GREEN = block("docs/app.md", "Run it.\n", "Run the newest.\n")

STILL_RED = block("docs/app.md", "Run it.\n", "Run the newer one.\n")


def answer(round_: int, text: str) -> dict[str, Any]:
    return {"match": {"round": round_, "turn": 1}, "text": text, "usage": USAGE}


def repository(root: Path, *replies: dict[str, Any], rounds: int = 3, usd: str = "5") -> Path:
    return make_repo(root / "r", {
        "docs/app.md": "# App\n\nRun it.\n", "src/app.py": "old()\n", ".split-ci.yaml": CONFIG % (rounds, usd),
        "specs/prose.md": spec("### Instruct `docs/app.md`\nSay that it is the newest.\n", accept=ACCEPT),
        "replies.json": json.dumps({"replies": replies}),
    })  # fmt: skip


def implement(repo: Path, *args: str, code: int = 0, base: str = "main") -> dict[str, Any]:
    done = split_ci(
        repo, "implement", "prose", "--base", base, *args, "--out", "out/changeset.json", "--format", "json", code=code
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def record(repo: Path) -> None:
    split_ci(repo, "record", *sorted(map(str, (repo / "out").glob("*.json"))))


def paid(repo: Path) -> list[ledger.Entry]:
    return [entry for entry in ledger.read_all(Repo.find(str(repo))) if entry.usage.calls]


def test_a_red_round_is_followed_by_another(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, RED), answer(2, GREEN))
    said = implement(repo)
    assert (said["outcome"], said["round"], len(said["others"])) == ("done", 2, 1)
    first, last = load((repo / "out/changeset.1.json").read_text()), load((repo / "out/changeset.json").read_text())
    assert (first.round, last.round, last.parent) == (1, 2, None)
    said_of_first = results.load((repo / "out/results.1.json").read_text())
    assert said_of_first.fault.startswith("a1 (docs/app.md contains 'newest')")
    assert sorted(path.name for path in (repo / "out").iterdir()) == ["changeset.1.json", "changeset.json", "results.1.json"]
    record(repo)
    assert [(e.round, e.outcome) for e in paid(repo)] == [(1, "failed"), (2, "done")]


def test_the_last_round_is_handed_on_whatever_it_is(tmp_path: Path) -> None:
    """Who verifies it runs its criteria; nothing more can follow here."""
    repo = repository(tmp_path, answer(1, RED), answer(2, STILL_RED), rounds=2)
    said = implement(repo)
    assert (said["outcome"], said["round"]) == ("done", 2)
    done = split_ci(repo, "accept", "out/changeset.json", "--out", "out/results.json", code=1)
    assert "✗ a1" in done.stdout
    record(repo)
    assert [(e.round, e.outcome) for e in paid(repo)] == [(1, "failed"), (2, "failed")]
    assert paid(repo)[-1].reason.startswith("a1 (docs/app.md contains 'newest')")


def test_what_is_kept_is_not_paid_again(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, RED), answer(2, GREEN))
    implement(repo)
    first = (repo / "out/changeset.json").read_bytes()
    record(repo)
    commit(repo, {"replies.json": json.dumps({"replies": []})})
    said = implement(repo, base="main~1")
    assert (said["outcome"], said["round"], said["kept"]) == ("done", 2, True)
    assert (repo / "out/changeset.json").read_bytes() == first
    record(repo)
    assert [e.round for e in paid(repo)] == [1, 2]


def test_a_round_that_is_missing_is_paid_and_those_before_it_are_not(tmp_path: Path) -> None:
    """A run that was cut off after its first round, and recorded by the next one."""
    repo = repository(tmp_path, answer(1, RED), {"match": {"round": 2}, "fail": "503"})
    assert implement(repo, code=4)["outcome"] == "failed"
    assert load((repo / "out/changeset.json").read_text()).world
    record(repo)
    commit(repo, {"replies.json": json.dumps({"replies": [answer(2, GREEN)]})})
    said = implement(repo, base="main~1")
    assert (said["outcome"], said["round"], said["kept"]) == ("done", 2, False)
    assert [o["round"] for o in said["others"]] == [1]


def test_another_base_is_another_question(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, GREEN))
    implement(repo)
    record(repo)
    commit(repo, {"src/app.py": "newer()\n"})
    assert implement(repo)["kept"] is False


def test_who_asks_again_after_the_last_round_asks_anew(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, RED), rounds=1)
    implement(repo)
    split_ci(repo, "accept", "out/changeset.json", "--out", "out/results.json", code=1)
    record(repo)
    commit(repo, {"replies.json": json.dumps({"replies": [answer(1, GREEN)]})})
    said = implement(repo, base="main~1")
    assert said["kept"] is False
    assert b"newest" in (repo / "out/changeset.json").read_bytes()


def test_a_branch_that_nobody_recorded_is_read_back(tmp_path: Path) -> None:
    """The run was cut off between publish and record: its branch is all that there is."""
    repo = repository(tmp_path, answer(1, GREEN))
    implement(repo)
    split_ci(repo, "accept", "out/changeset.json", "--out", "out/results.json")
    split_ci(repo, "publish", "out/changeset.json", "--accept", "out/results.json")
    before = load((repo / "out/changeset.json").read_text())
    commit(repo, {"replies.json": json.dumps({"replies": []})})
    said = implement(repo, base="main~1")
    after = load((repo / "out/changeset.json").read_text())
    assert said["kept"] is True
    assert after.changes == before.changes
    split_ci(repo, "accept", "out/changeset.json", "--out", "out/results.json")
    done = split_ci(
        repo, "publish", "out/changeset.json", "--accept", "out/results.json", "--format", "json"
    )  # fmt: skip
    assert json.loads(done.stdout)["outcome"] == "unchanged"


def test_a_commit_that_is_kept_and_was_changed_is_no_attempt(tmp_path: Path) -> None:
    """A ref that points elsewhere than where the ledger says keeps nothing."""
    repo = repository(tmp_path, answer(1, GREEN))
    implement(repo)
    record(repo)
    git(repo, "update-ref", "refs/split-ci/attempts/prose/1", "main")
    assert implement(repo)["kept"] is False


def test_the_day_s_money_is_spent(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, GREEN), usd="0.0005")
    implement(repo)
    record(repo)
    commit(repo, {"src/app.py": "newer()\n"})
    said = implement(repo, code=4)
    assert (said["outcome"], said["reason"]) == ("over-limit", "0.0010 USD are spent today, the cap is 0.0005")
    assert load((repo / "out/changeset.json").read_text()).world


def test_what_the_base_proves_wrong_is_not_paid_for(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, GREEN))
    commit(repo, {"specs/prose.md": spec("### Instruct `docs/app.md`\nSay it.\n", accept="  - exists: docs/app.md")})
    said = implement(repo, code=1)
    assert said["reason"] == "a1 is wrong on the base already: it holds on the base, before any change"
    assert said["usage"]["calls"] == 0


def test_a_sandbox_is_proved_before_a_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = repository(tmp_path, answer(1, GREEN))
    monkeypatch.setattr(sandbox, "_chosen", {"found": sandbox.Sandbox("none", warning="bubblewrap: not here")})
    monkeypatch.chdir(repo)
    args = ["implement", "prose", "--base", "main", "--sandbox", "required", "--out", "out.json"]
    assert main(args) == 4
    assert "no sandbox works here, and one is required: bubblewrap: not here" in capsys.readouterr().err
    assert not (repo / "out.json").exists()
    assert not (repo / ".git/split-ci/journal").exists()


def test_on_github_the_configuration_is_the_base_s(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, GREEN))
    (repo / ".split-ci.yaml").write_text("implementers: [exact]\n")
    assert implement(repo, code=1)["usage"]["calls"] == 0
    done = split_ci(
        repo, "implement", "prose", "--base", "main", "--out", "out.json", "--format", "json",
        env={"GITHUB_ACTIONS": "true"},
    )  # fmt: skip
    assert json.loads(done.stdout)["usage"]["calls"] == 1


def test_a_file_called_like_a_spec_is_not_taken_for_it(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, GREEN))
    (repo / "prose").write_text("not a spec\n")
    assert implement(repo)["outcome"] == "done"


def test_outputs_and_summary(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, RED), answer(2, GREEN))
    output, summary = tmp_path / "output", tmp_path / "summary"
    done = split_ci(
        repo, "implement", "prose", "--base", "main", "--out", "out/changeset.json", "--format", "github",
        env={"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)},
    )  # fmt: skip
    made = load((repo / "out/changeset.json").read_text())
    assert output.read_text() == f"id=prose\noutcome=done\nattempt={made.attempt}\nround=2\n"
    text = summary.read_text()
    assert "| a1 | `docs/app.md contains 'newest'` | yes | **no** |" in text
    assert "| implementer | 2 | 1,800 (200 cached) | 100 | $0.0020 |" in text
    first, *_, last = done.stdout.splitlines()
    assert first.removeprefix("::stop-commands::") == last.strip(":")


def test_usage_of_earlier_rounds_counts(tmp_path: Path) -> None:
    repo = repository(tmp_path, answer(1, RED), answer(2, GREEN))
    commit(repo, {"specs/prose.md": spec(
        "### Instruct `docs/app.md`\nSay it.\n", accept=ACCEPT, extra="limits: {tokens: 1200}\n")})  # fmt: skip
    said = implement(repo, code=1)
    assert (said["outcome"], said["usage"]["calls"]) == ("over-limit", 0)
    assert load((repo / "out/changeset.1.json").read_text()).usage == Usage(1, 900, 100, 50, 0.001)
