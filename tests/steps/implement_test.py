"""The ladder: exact sections by code, what is left by models, reasons handed on, and no model where none is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci import spec as spec_words
from split_ci.caps import Silent
from split_ci.changeset import dump, load
from split_ci.config import Coaching, Config, Limits
from split_ci.errors import UsageError
from split_ci.following import rungs
from split_ci.git import Repo
from split_ci.implementers.chat import Chat
from split_ci.implementers.exact import attempt_id
from split_ci.lesson import Lesson
from split_ci.ports import File, Usage
from split_ci.results import CriterionResult, Ran
from split_ci.steps.implement import Job, Made, implement
from split_ci.verdict import Finding
from tests.builders import commit, git, make_repo, spec
from tests.models.answers import COST, Heard, block, line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from split_ci.caps import Journal
    from split_ci.changeset import Changeset
    from split_ci.ledger import Entry
    from split_ci.spec import Spec

FILES = {
    "src/app.py": "import os\n\n\ndef run():\n    return old()\n",
    "docs/app.md": "# App\n\nRun it.\n",
    "tests/app_test.py": "def test_run():\n    pass\n",
}
EXACT = """\
### Edit `src/app.py`
Before:
```python
    return old()
```
After:
```python
    return new()
```
"""
PROSE = """\
### Instruct `docs/app.md`
Say that it is new.
"""
LADDER = Config(implementers=("exact", "cheap"))
TWO = Config(implementers=("exact", "cheap", "dear"))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.find(str(make_repo(tmp_path / "r", FILES)))


def parsed(text: str, id_: str = "a") -> Spec:
    found = spec_words.parse_spec(text.encode(), f"specs/{id_}.md")
    assert found.spec, found.problems
    return found.spec


def made(repo: Repo, changes: str, *models: Heard, config: Config | None = None, job: Mapping[str, object] | None = None,
         accept: str = "  - missing: nothing.txt", extra: str = "", **more: object) -> Made:  # fmt: skip
    names = ("cheap", "dear")[: len(models)]
    job_ = Job(parsed(spec(changes, accept=accept, extra=extra)), repo.commit("main"), **(job or {}))  # type: ignore[arg-type]
    config = config or Config(implementers=("exact", *names))
    rungs_ = {name: Chat(name, model) for name, model in zip(names, models, strict=True)}
    return implement(repo, [job_], config=config, implementers=rungs_, **more)[0]  # type: ignore[arg-type]


def by(changeset: Changeset) -> dict[str, str]:
    return {change.path: change.by for change in changeset.changes}


def text(changeset: Changeset, path: str) -> str:
    return next(change.file.data.decode() for change in changeset.changes if change.path == path and change.file)


def test_exact_alone_asks_no_model(repo: Repo) -> None:
    model = Heard()
    changeset = made(repo, EXACT, model).changeset
    assert (changeset.outcome.name, changeset.implementer, by(changeset)) == ("done", "exact", {"src/app.py": "exact"})
    assert text(changeset, "src/app.py").endswith("    return new()\n")
    assert changeset.edits == {"exact": 1, "adapted": 0, "model": 0}
    assert changeset.attempt == attempt_id(changeset.digest, changeset.base)
    assert (changeset.usage, model.requests) == (Usage(), [])
    assert changeset.spec == spec(EXACT).encode()
    assert changeset.changes[0].was == git_blob(repo, "src/app.py")


def git_blob(repo: Repo, path: str) -> str:
    return repo.git("rev-parse", f"main:{path}").decode().strip()


def test_prose_is_left_to_the_first_rung(repo: Repo) -> None:
    model = Heard(block("docs/app.md", "Run it.\n", "Run the new one.\n"))
    result = made(repo, EXACT + PROSE, model)
    changeset = result.changeset
    assert changeset.outcome.name == "done"
    assert changeset.implementer == "cheap (scripted)"
    assert by(changeset) == {"src/app.py": "exact", "docs/app.md": "model"}
    assert text(changeset, "docs/app.md") == "# App\n\nRun the new one.\n"
    assert changeset.edits == {"exact": 1, "adapted": 0, "model": 1}
    assert changeset.usage == COST
    assert len(changeset.attempt) == 16
    assert [m.role for m in result.transcript] == ["user", "assistant"]
    prompt = model.requests[0].messages[0].text
    assert "Say that it is new." in prompt
    assert "Run it." in prompt
    assert "return new()" not in prompt


def test_an_edit_that_drifted_is_ported(repo: Repo) -> None:
    commit_file(repo, "src/app.py", "import os\n\n\ndef run(fast=False):\n    return  old()\n")
    model = Heard(block("src/app.py", "    return  old()\n", "    return new()\n"))
    changeset = made(repo, EXACT, model).changeset
    assert (changeset.outcome.name, by(changeset)) == ("done", {"src/app.py": "adapted"})
    assert changeset.edits == {"exact": 0, "adapted": 1, "model": 0}
    prompt = model.requests[0].messages[0].text
    assert "no longer fits" in prompt
    assert "Nearest now, from line 2:\n\n\ndef run(fast=False):\n    return  old()\n" in prompt


def commit_file(repo: Repo, path: str, content: str | None) -> str:
    from pathlib import Path

    return commit(Path(repo.root), {path: content})


DEAD_END = {
    "drifted, no rung": (EXACT.replace("old()", "older()"), (), "stale", "SP301"),
    "a file to delete that is gone": ("### Delete `src/gone.py`\n", (Heard(),), "stale", "SP303"),
    "a file to edit that is gone": (EXACT.replace("app.py", "gone.py"), (Heard(),), "stale", "SP303"),
    "prose, no rung": (PROSE, (), "failed", "Instruct of docs/app.md needs a model rung: add one to `implementers`"),
    "prose for a protected path": (
        "### Instruct `.github/workflows/ci.yml`\nAdd a job.\n", (Heard(),), "refused", "Instruct asks for a protected path",
    ),
    "prose for what an exact section writes": (
        EXACT + "### Instruct `src/app.py`\nTidy.\n", (Heard(),), "refused", "Instruct asks for a change of a frozen path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEAD_END)
def test_where_no_model_is_asked(repo: Repo, name: str) -> None:
    changes, models, outcome, reason = DEAD_END[name]
    changeset = made(repo, changes, *models).changeset
    assert changeset.outcome.name == outcome
    assert reason in changeset.outcome.reason
    assert [model.requests for model in models] == [[] for _ in models]


def test_a_rung_that_gives_up_hands_its_reason_on(repo: Repo) -> None:
    cheap = Heard("I can't.", "No.")
    dear = Heard(block("docs/app.md", "Run it.\n", "Run the new one.\n"))
    result = made(repo, PROSE, cheap, dear)
    assert result.changeset.outcome.name == "done"
    assert result.changeset.implementer == "dear (scripted)"
    assert [(o.implementer, o.outcome.name) for o in result.others] == [("cheap (scripted)", "failed")]
    assert result.others[0].usage == COST + COST
    assert result.changeset.usage == COST
    said = "Another implementer, cheap (scripted), gave up: the same error twice: no edit block"
    assert said in dear.requests[0].messages[0].text


def test_the_last_rung_says_why(repo: Repo) -> None:
    result = made(repo, PROSE, Heard(line("", fail="the server is down")))
    assert result.changeset.outcome == ("failed", "scripted: the server is down (recorded) (try again later)")
    assert result.fault
    assert result.changeset.changes == ()


def test_a_later_round_carries_findings_and_red_criteria(repo: Repo) -> None:
    first = made(repo, EXACT + PROSE, Heard(block("docs/app.md", "Run it.\n", "Run the new one.\n"))).changeset
    head = publish(repo, first)
    red = CriterionResult("a1", "./check.sh", True, False, 0.1, "exit 1", None, Ran(1, 0.1, "docs/app.md: too short\n"))
    finding = Finding("docs/app.md", 3, "say how", quote="Run the new one.")
    model = Heard(block("docs/app.md", "Run the new one.\n", "Run the new one with run().\n"))
    job = {"parent": head, "round": 2, "findings": (finding,), "red": (red,), "spent": COST}
    second = made(repo, EXACT + PROSE, model, job=job).changeset
    assert second.outcome.name == "done"
    assert (second.round, second.parent) == (2, head)
    assert by(second) == {"src/app.py": "exact", "docs/app.md": "model"}
    assert text(second, "docs/app.md") == "# App\n\nRun the new one with run().\n"
    prompt = model.requests[0].messages[0].text
    assert "Asked in the round before" in prompt
    assert "docs/app.md: too short" in prompt
    assert 'A reviewer found in "docs/app.md", line 3: say how' in prompt
    assert model.requests[0].asker == ("implementer", "a", 2)


def publish(repo: Repo, changeset: Changeset) -> str:
    """A commit of a changeset on its base, as the branch's head would be."""
    from pathlib import Path

    root = Path(repo.root)
    git(root, "checkout", "-q", "-b", "split-ci/a", changeset.base)
    files = {c.path: c.file.data.decode() if c.file else None for c in changeset.changes}
    head = commit(root, {**files, "specs/landed/a.md": changeset.spec.decode()})
    git(root, "checkout", "-q", "main")
    return head


def test_lessons_that_fit_are_carried(repo: Repo) -> None:
    fits = Lesson("use-verbs-1", "implementer", "Use verbs.", paths=("docs/**",))
    other = Lesson("use-nouns-1", "implementer", "Use nouns.", paths=("src/**",))
    model = Heard(block("docs/app.md", "Run it.\n", "Run the new one.\n"))
    changeset = made(repo, PROSE, model, lessons=[fits, other], lessons_at="c" * 40).changeset
    assert (changeset.lessons, changeset.lessons_at) == (("use-verbs-1",), "c" * 40)
    assert "Use verbs." in model.requests[0].system
    assert "Use nouns." not in model.requests[0].system


def test_a_share_of_generations_goes_without_lessons(repo: Repo) -> None:
    fits = Lesson("use-verbs-1", "implementer", "Use verbs.")
    carried = []
    for number in range(40):
        held = Config(implementers=("exact", "cheap"), coaching=Coaching(holdout=0.5))
        model = Heard(block("docs/app.md", "Run it.\n", "Run the new one.\n"))
        text = PROSE.replace("Say", f"{number}: say")
        changeset = made(repo, text, model, lessons=[fits], config=held).changeset
        assert {changeset.lessons, changeset.held} == {("use-verbs-1",), ()}
        assert ("Use verbs." in model.requests[0].system) == bool(changeset.lessons)
        again = made(repo, text, Heard(block("docs/app.md", "Run it.\n", "New.\n")), lessons=[fits], config=held).changeset
        assert again.held == changeset.held
        assert load(dump(changeset)).held == changeset.held
        carried.append(bool(changeset.lessons))
    assert 10 < sum(carried) < 30


def test_every_paid_attempt_is_journaled(repo: Repo) -> None:
    opened: list[Entry] = []

    def open_journal(entry: Entry, _topic: str) -> Journal:
        opened.append(entry)
        return Silent()

    result = made(
        repo, PROSE, Heard("no", "no"), Heard(block("docs/app.md", "Run it.\n", "New.\n")), open_journal=open_journal
    )
    assert [e.attempt for e in opened] == [result.others[0].attempt, result.changeset.attempt]
    assert [(e.name, e.role, e.base, e.recorded) for e in opened] == [
        ("cheap (scripted)", "implementer", repo.commit("main"), True),
        ("dear (scripted)", "implementer", repo.commit("main"), True),
    ]


def test_caps_go_over_all_rounds(repo: Repo) -> None:
    model = Heard(block("docs/app.md", "Run it.\n", "New.\n"))
    spent = Usage(3, 900_000, 0, 0, 0.0)
    assert made(repo, PROSE, model, job={"spent": spent}).changeset.outcome.name == "over-limit"
    fourth = made(repo, PROSE, model, job={"round": 4, "parent": repo.commit("main")}).changeset
    assert fourth.outcome == ("over-limit", "3 rounds are over")
    assert model.requests == []


def test_what_no_model_may_change_is_refused_by_name(repo: Repo) -> None:
    answer = block("tests/app_test.py", "    pass\n", "    assert True\n")
    model = Heard(answer, answer)
    changeset = made(
        repo, PROSE, model, accept="  - run: python -m pytest -q tests/app_test.py", extra='allow: ["tests/**"]\n'
    ).changeset
    assert changeset.outcome.name == "failed"
    assert 'a change of a frozen path in "tests/app_test.py"' in changeset.outcome.reason
    assert changeset.changes == ()


class Careless:
    """An implementer that doesn't ask where it may write."""

    name = "careless"

    def implement(self, task: object) -> object:
        from split_ci.ports import Attempt, Outcome

        return Attempt({"src/app.py": File(b"mine\n")}, COST, Outcome("done"))


def test_an_implementer_that_writes_what_it_may_not_is_refused(repo: Repo) -> None:
    job = Job(parsed(spec(EXACT + PROSE)), repo.commit("main"))
    result = implement(repo, [job], config=LADDER, implementers={"cheap": Careless()})[0]  # type: ignore[dict-item]
    assert result.changeset.outcome == ("refused", 'a change of a frozen path in "src/app.py"')


def test_many_specs_in_their_order_and_in_parallel(repo: Repo) -> None:
    lines = [line(block("docs/app.md", "Run it.\n", f"Run {n}.\n"), spec=f"s{n}") for n in range(0, 20, 2)]
    jobs = [Job(parsed(spec(EXACT if n % 2 else PROSE), f"s{n}"), repo.commit("main")) for n in range(20)]
    results = implement(repo, jobs, config=LADDER, implementers={"cheap": Chat("cheap", Heard(*lines))}, parallel=14)
    assert [r.changeset.id for r in results] == [f"s{n}" for n in range(20)]
    assert [r.changeset.outcome.name for r in results] == ["done"] * 20
    assert text(results[18].changeset, "docs/app.md").endswith("Run 18.\n")


def test_the_ladder_starts_where_the_spec_says() -> None:
    both = {"cheap": Chat("cheap", Heard()), "dear": Chat("dear", Heard())}
    asked = parsed(spec(PROSE, extra="implementer: dear\n"))
    assert rungs(asked, TWO, both) == ["dear"]
    assert rungs(parsed(spec(PROSE)), TWO, both) == ["cheap", "dear"]
    assert rungs(asked, LADDER, both) == []


def test_a_rung_that_can_t_be_built_says_so_before_anything_is_asked(repo: Repo) -> None:
    class Broken(dict[str, Chat]):
        def __getitem__(self, name: str) -> Chat:
            raise UsageError("no key")

    exact, prose = (Job(parsed(spec(c), i), repo.commit("main")) for c, i in ((EXACT, "a"), (PROSE, "b")))
    broken = Broken(cheap=Chat("cheap", Heard()))
    assert implement(repo, [exact], config=LADDER, implementers=broken)[0].changeset.outcome.name == "done"
    with pytest.raises(UsageError, match="no key"):
        implement(repo, [exact, prose], config=LADDER, implementers=broken)


def test_caps_of_a_spec_are_its_own(repo: Repo) -> None:
    config = Config(implementers=("exact", "cheap"), limits=Limits(tokens=300))
    model = Heard(block("docs/app.md", "Run it.\n", "New.\n"))
    changeset = made(repo, PROSE, model, config=config).changeset
    assert changeset.outcome.name == "over-limit"
    assert "of 300 are left" in changeset.outcome.reason
