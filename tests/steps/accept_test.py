from __future__ import annotations

import os
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from split_ci.checkout import Pool
from split_ci.errors import UsageError
from split_ci.git import Repo
from split_ci.sandbox import Sandbox, choose
from split_ci.settings import Config, Limits, ModelConfig
from split_ci.spec import parse_spec
from split_ci.steps.accept import Candidate, accept, judge_base
from tests.builders import commit, git, make_repo
from tests.builders import spec as spec_text

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.ports import Event
    from split_ci.results import CriterionResult, Results
    from split_ci.spec import Spec

NEW = "### Create `new.txt`\n```\nnew\n```\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return make_repo(tmp_path / "repo", {"a.txt": "old\n"})


def read(accept_lines: str, *, name: str = "x", extra: str = "", changes: str = NEW) -> Spec:
    parsed = parse_spec(spec_text(changes, accept=accept_lines, extra=extra).encode(), f"specs/{name}.md")
    assert parsed.spec is not None, parsed.problems
    return parsed.spec


def judged(root: Path, spec: Spec, config: Config = Config(), **more: object) -> Results:  # noqa: B008
    base = git(root, "rev-parse", "HEAD")
    head = commit(root, {"new.txt": "new\n"})
    git(root, "reset", "-q", "--hard", base)
    return accept(Repo.find(str(root)), [Candidate(spec, base, head, "e" * 40, "c" * 64)], config=config, **more)[0]  # type: ignore[arg-type]


def one(root: Path, accept_line: str, **more: object) -> CriterionResult:
    return judged(root, read(accept_line), **more).criteria[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "red", "green", "reason"),
    [
        pytest.param("  - run: test -e new.txt", True, True, "", id="red, then green"),
        pytest.param("  - run: test -e a.txt", False, True, "it is green on the base, before any change", id="vacuous"),
        pytest.param("  - run: test -e other.txt", True, False, "red on the result: exit 1", id="never green"),
        pytest.param(
            "  - run: no-such-tool",
            False,
            False,
            "it proves nothing on the base: a command is missing: no-such-tool",
            id="no tool",
        ),
        pytest.param("  - run: kill -9 $$", False, False, "it proves nothing on the base: ended by SIGKILL", id="signal"),
        pytest.param("  - exists: new.txt", True, True, "", id="exists"),
        pytest.param("  - missing: a.txt", True, False, "it does not hold on the result", id="missing"),
        pytest.param("  - contains: {in: '*.txt', text: new}", True, True, "", id="contains"),
        pytest.param("  - contains: {in: '*.txt', regex: '^n.*w$'}", True, True, "", id="regex"),
        pytest.param(
            "  - run: 'git diff --exit-code HEAD && git ls-files --error-unmatch new.txt'", True, True, "", id="git inside"
        ),
        pytest.param("  - run: 'touch left; echo x > a.txt; test -e new.txt'", True, True, "", id="leaves dirt"),
    ],
)
def test_one_criterion(root: Path, line: str, red: bool, green: bool, reason: str) -> None:
    found = one(root, line)
    assert (found.red, found.green, found.reason) == (red, green, reason)


def test_a_guard_holds_before_and_after(root: Path) -> None:
    lines = "  - run: test -e new.txt\n  - run: grep -q old a.txt\n    guard: true\n  - run: test -e new.txt # now\n    guard: true"
    results = judged(root, read(lines))
    assert [(c.red, c.green) for c in results.criteria] == [(True, True), (None, True), (None, False)]
    assert results.criteria[2].reason == "the guard is red before the change: exit 1"
    assert not results.ok


def test_a_pattern_that_takes_ages_is_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("split_ci.search.Searcher.__init__.__defaults__", (0.5,))
    commit(root, {"b.txt": "a" * 5000 + "!"})
    found = one(root, "  - contains: {in: '*.txt', regex: '^(a+)+$'}")
    assert found.green is False
    assert found.reason.startswith("the pattern '^(a+)+$' takes more than")


def test_every_criterion_starts_clean(root: Path) -> None:
    lines = "\n".join(
        f"  - run: 'test ! -e left && touch left && echo {n} >> a.txt && grep -qx old a.txt && test -e new.txt'"
        for n in range(4)
    )
    assert judged(root, read(lines)).ok


def test_a_base_command_is_run_once_for_all(root: Path) -> None:
    base = git(root, "rev-parse", "HEAD")
    specs = [read("  - run: test -e new.txt", name=f"s{n}") for n in range(3)]
    found = judge_base(Repo.find(str(root)), specs, base, Config())
    assert sorted(found) == ["s0", "s1", "s2"]
    assert [(c.red, c.green) for results in found.values() for c in results] == [(True, None)] * 3
    assert len({id(results[0].base) for results in found.values()}) == 3
    assert len({results[0].base for results in found.values()}) == 1


def test_flaky(root: Path) -> None:
    (root / "count").mkdir()
    line = "  - run: 'test -e new.txt && test $(date +%N | cut -c1-1) -lt 0$(cat once 2>/dev/null || echo 99)'"
    assert one(root, line, twice=True).green
    found = one(
        root,
        "  - run: 'test -e new.txt && mkdir seen/$PPID.$(cat /proc/uptime | tr -d \" .\") 2>/dev/null; test -e new.txt'",
        twice=True,
    )
    assert found.green


def test_flaky_is_said(root: Path) -> None:
    store = root.parent / "mark"
    store.mkdir()
    line = f"  - run: 'test -e new.txt && mkdir {store}/once'"
    found = one(root, line, twice=True, sandbox=Sandbox("none"))
    assert found.reason == "red on the result: flaky: green once, then exit 1"


def test_no_run_no_checkout(root: Path) -> None:
    results = judged(root, read("  - exists: new.txt"), config=Config(sandbox="required"))
    assert results.ok
    assert results.sandbox == {"kind": "none", "probed": False, "facts": {"reason": "no criterion runs a command"}}


def test_the_sandbox_is_recorded(root: Path) -> None:
    results = judged(root, read("  - run: test -e new.txt"))
    assert results.sandbox == choose("auto").as_json()
    assert (results.tree, results.changeset, results.id) == ("e" * 40, "c" * 64, "x")
    assert os.listdir(tempfile.gettempdir()) == []


def test_none_runs_all_the_same(root: Path) -> None:
    results = judged(
        root,
        read('  - run: \'test -e new.txt && test -d "$HOME" && test "$TZ" = UTC && touch ~/x\''),
        config=Config(sandbox="none"),
    )
    assert results.ok
    assert results.sandbox["kind"] == "none"


def test_a_key_does_not_pass(root: Path) -> None:
    config = Config(env=("MY_MODEL",), models={"m": ModelConfig("m", "openai", "x", key="MY_MODEL")})
    with pytest.raises(UsageError, match="MY_MODEL looks like a key"):
        judged(root, read("  - run: test -e new.txt"), config=config)


def test_minutes_are_a_cap(root: Path) -> None:
    found = judged(root, read("  - run: sleep 1000"), config=Config(limits=Limits(minutes=0.01))).criteria[0]
    assert found.reason == "it proves nothing on the base: resource limit: time (0.6 s)"


def test_events_tell_how_far_it_is(root: Path) -> None:
    seen: list[Event] = []
    judged(root, read("  - run: test -e new.txt\n  - exists: new.txt"), watch=seen.append)
    assert [(e.state, e.green, e.criteria) for e in seen] == [
        ("criteria", 0, 2),
        ("criteria", 1, 2),
        ("criteria", 1, 2),
        ("criteria", 2, 2),
    ]


def test_a_pool_is_shared(root: Path) -> None:
    repo = Repo.find(str(root))
    with Pool(repo) as pool:
        assert judged(root, read("  - run: test -e new.txt"), pool=pool).ok
        assert judged(root, read("  - run: test -e new.txt"), pool=pool).ok


def prepared(root: Path) -> list[str]:
    folder = root / ".git/split-ci/prepared"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


needs_namespaces = pytest.mark.skipif(choose("auto").kind == "none", reason="no sandbox works here")
TOOL = (
    "mkdir -p .tool/bin ~/.cache",
    "printf '#!/bin/sh\\ntest -e new.txt\\n' > .tool/bin/check && chmod +x .tool/bin/check && echo $PWD > .tool/where",
    "echo made > ~/.cache/made && ln -s .tool/where link",
)


@needs_namespaces
def test_prepare_makes_tools_once_and_mounts_them(root: Path) -> None:
    config = Config(prepare=TOOL, path=(".tool/bin",))
    lines = (
        "  - run: check\n  - run: 'grep -qx \"$PWD\" .tool/where link && grep -q made ~/.cache/made && test -e new.txt'\n"
        "  - run: 'echo x > .tool/bin/check || test -e new.txt'"
    )
    assert judged(root, read(lines), config=config).ok
    first = prepared(root)
    assert len(first) == 1
    made = os.stat(root / ".git/split-ci/prepared" / first[0]).st_ino
    assert judged(root, read(lines), config=config).ok
    assert prepared(root) == first
    assert os.stat(root / ".git/split-ci/prepared" / first[0]).st_ino == made
    commit(root, {"requirements.txt": "x\n"})
    assert judged(root, read(lines), config=config).ok
    assert len(prepared(root)) == 2
    assert git(root, "status", "--porcelain") == ""


@needs_namespaces
def test_a_virtual_environment(root: Path) -> None:
    commit(root, {"pkg.py": "def f():\n    import os\n    return os.path.exists('new.txt')\n"})
    config = Config(prepare=("python3 -m venv --without-pip .venv",), path=(".venv/bin",))
    line = "  - run: python -c 'import sys, pkg; sys.exit(not (sys.prefix == \"/checkout/.venv\" and pkg.f()))'"
    assert judged(root, read(line), config=config).ok


@pytest.mark.parametrize("mode", [pytest.param("auto", marks=needs_namespaces), "none"])
def test_prepare_that_fails_is_the_environments_fault(root: Path, mode: str) -> None:
    config = Config(prepare=("echo broken; exit 3",), sandbox=mode)
    found = judged(root, read("  - run: test -e new.txt"), config=config).criteria[0]
    assert (
        found.reason
        == "it proves nothing on the base: environment: `prepare` failed at `echo broken; exit 3`: exit 3: broken"
    )
    assert prepared(root) == []


def test_prepare_that_fails_says_the_line_that_says_why(root: Path) -> None:
    said = "printf 'ERROR: no such package\\n\\n[notice] A new release is there\\n[notice] To update, run: x\\n'; exit 1"
    found = judged(root, read("  - run: test -e new.txt"), config=Config(prepare=(said,), sandbox="none")).criteria[0]
    assert found.reason.endswith(": exit 1: ERROR: no such package")


def test_prepare_without_a_sandbox_runs_in_each_checkout(root: Path) -> None:
    config = Config(prepare=("mkdir .tool && echo $PWD > .tool/where",), sandbox="none")
    assert judged(root, read("  - run: 'grep -qx \"$PWD\" .tool/where && test -e new.txt'"), config=config).ok
    assert prepared(root) == []


@needs_namespaces
def test_prepare_can_not_show_what_it_links_to(root: Path) -> None:
    secret = root.parent / "secret"
    secret.mkdir()
    (secret / "key").write_text("c4n4ry")
    config = Config(prepare=(f"ln -s {secret} link; mkdir dir; ln -s {secret} dir/link",))
    found = one(root, f"  - run: 'cat link/key dir/link/key {secret}/key; test -e new.txt'", config=config)
    assert found.green
    assert found.result is not None
    assert "c4n4ry" not in found.result.output


def test_interrupted_nothing_is_left(root: Path) -> None:
    def interrupt(_: Event) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        judged(root, read("  - run: sleep 1000"), watch=interrupt)
    assert threading.active_count() == before
    assert os.listdir(tempfile.gettempdir()) == []
