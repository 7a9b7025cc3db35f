"""The agent implementer: fakes of every known agent on PATH, real HTTP, real checkouts, with the sandbox and without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from split_ci import agents, survivors
from split_ci.agent_output import Heard
from split_ci.changed_tree import ChangedTree
from split_ci.errors import UsageError
from split_ci.implementers import agent as module
from split_ci.ports import File, Message, Usage
from split_ci.sandbox import Sandbox, choose
from tests.agents.fakes import install
from tests.agents.real import BLOCK, CAPS, COMMAND, KEY, agent_of, repository, task_of
from tests.agents.server import CACHED, INPUT, OUTPUT, model_server
from tests.agents.shapes import GIVE_UP
from tests.builders import commit, git, write

if TYPE_CHECKING:
    from split_ci.git import Repo
    from split_ci.ports import Attempt

NEW = File(b"new\n")
TWO = Usage(2, 2 * INPUT, 2 * CACHED, 2 * OUTPUT, 0.00272)
BOXES = {"sandbox": None, "none": Sandbox("none")}
REAL = "SPLIT_CI_REAL_AGENTS"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return repository(tmp_path)


class Stage:
    """Runs one attempt of a fake."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: Repo) -> None:
        self.bin = tmp_path / "fakes"
        self.repo = repo
        monkeypatch.setenv("PATH", f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("SPLIT_REAL_KEY", KEY)

    def run(
        self, name: str = "goose", shape: str = "success", do: str = "edit", *, mood: str = "edit", asks: int = 2,
        box: Sandbox | None = None, turns: int = 50, **task: Any,
    ) -> Attempt:  # fmt: skip
        install(self.bin, name, shape, do, asks=asks, user=self.repo.root)
        with model_server(COMMAND, mood, BLOCK) as server:
            agent = agent_of(name, self.repo, server.url, sandbox=box, turns=turns)
            self.agent = agent
            attempt = agent.implement(task_of(self.repo, **task))
        assert KEY not in repr(attempt)
        return attempt


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: Repo) -> Stage:
    return Stage(tmp_path, monkeypatch, repo)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("name", agents.ROWS)
def test_every_row_is_taken_at_its_diff(stage: Stage, name: str, box: str) -> None:
    before = snapshot(stage.repo)
    attempt = stage.run(name, box=BOXES[box])
    assert dict(attempt.files) == {"docs/app.md": NEW}
    assert attempt.outcome == ("done", "it ran without a sandbox" if box == "none" else "")
    assert attempt.usage == TWO
    assert attempt.fault is None
    assert attempt.transcript[0].role == "user"
    assert stage.agent.label == f"{name} (9.8.7)"
    assert snapshot(stage.repo) == before


def snapshot(repo: Repo) -> object:
    """Everything of the user's that an agent might touch."""
    found = {}
    for folder, _, names in os.walk(repo.root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
    return found


@pytest.mark.parametrize("name", agents.ROWS)
def test_giving_up_is_a_failure_with_its_words(stage: Stage, name: str) -> None:
    attempt = stage.run(name, "giveup", "nothing")
    assert attempt.files == {}
    assert attempt.outcome.name == "failed"
    assert attempt.outcome.reason.startswith(f"{name} changed nothing: ")
    assert GIVE_UP in attempt.outcome.reason
    assert attempt.transcript[-1] == Message("assistant", GIVE_UP)


@pytest.mark.parametrize("name", agents.ROWS)
def test_a_server_that_fails_is_told_from_outside(stage: Stage, name: str) -> None:
    """Whatever exit code the agent makes of it."""
    attempt = stage.run(name, "error", "nothing", mood="500")
    assert attempt.outcome.name == "failed"
    assert attempt.outcome.reason.endswith("the model's server said 500")
    assert attempt.usage == Usage(2)
    assert attempt.fault is not None
    assert attempt.fault.again


def test_a_key_that_is_refused_is_not_worth_another_try(stage: Stage) -> None:
    fault = stage.run("goose", "error", "nothing", mood="401").fault
    assert fault is not None
    assert not fault.again


def test_what_it_says_of_itself_is_noted_and_not_believed(stage: Stage) -> None:
    attempt = stage.run("claude", "limit")
    assert attempt.outcome == ("done", "claude itself says: error_max_turns")
    assert dict(attempt.files) == {"docs/app.md": NEW}


def test_success_that_it_only_claims_is_a_failure(stage: Stage) -> None:
    assert stage.run("goose", "success", "nothing").outcome == ("failed", "goose changed nothing: Done.")


def test_tokens_that_differ_are_noted(stage: Stage) -> None:
    assert stage.run(asks=1).outcome == ("done", "goose counts 2400 + 68 tokens, the meter 1200 + 34")


@pytest.mark.parametrize("box", BOXES)
def test_a_loop_is_ended_at_the_cap(stage: Stage, box: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    attempt = stage.run(asks=1_000_000, do="edit", turns=5, box=BOXES[box])
    assert attempt.outcome == ("over-limit", "5 requests are made, which is the cap")
    assert attempt.usage.calls == 5


def test_tokens_end_it_too(stage: Stage) -> None:
    attempt = stage.run(asks=100, caps=CAPS._replace(tokens=4000))
    assert attempt.outcome.name == "over-limit"
    assert attempt.outcome.reason.startswith("the next call needs about")
    assert attempt.usage.calls == 4


@pytest.mark.parametrize("box", BOXES)
def test_a_hang_ends_with_the_time(stage: Stage, box: str) -> None:
    attempt = stage.run(do="hang", caps=CAPS._replace(minutes=0.04), box=BOXES[box])
    assert attempt.outcome.name == "over-limit"
    assert attempt.outcome.reason.startswith("goose was ended: time (")


@pytest.mark.parametrize("box", BOXES)
def test_no_process_is_left(stage: Stage, box: str) -> None:
    assert stage.run(do="child", box=BOXES[box]).outcome.name == "done"
    assert "987654" not in command_lines()


def command_lines() -> str:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                found.append(file.read().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(line for line in found if line.startswith("sleep"))


def test_marked_processes_are_found_wherever_they_are(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["sleep", "1000"], env={survivors.MARK: "here", "PATH": os.environ["PATH"]}, start_new_session=True
    )
    other = subprocess.Popen(["sleep", "1000"], env={survivors.MARK: "here and there", "PATH": os.environ["PATH"]})
    try:
        while not survivors.marked("here"):
            pass
        assert survivors.end_marked("here") == 1
        assert process.wait() == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


DIFFS: dict[str, tuple[dict[str, File | None], str, str]] = {
    "new file": ({"docs/app.md": NEW, "NOTES.md": File(b"x")}, "done", ""),
    "elsewhere": ({"src/app.py": File(b"print(2)\n")}, "failed", "goose left docs/app.md as it was"),
    "droppings": ({"docs/app.md": NEW}, "done", ""),
    "executable": ({"docs/app.md": File(b"new\n", "100755")}, "done", ""),
    "delete": ({"docs/app.md": None}, "done", ""),
    "commit": ({"docs/app.md": NEW}, "done", ""),
    "git folder": ({"docs/app.md": NEW}, "done", ""),
    "attributes": ({"docs/app.md": NEW}, "done", ""),
    "crash": ({"docs/app.md": NEW}, "done", "goose itself says: "),
    "symlink": ({}, "refused", "docs/app.md: a symlink"),
    "linked folder": ({}, "refused", "docs: a symlink"),
    "fifo": ({}, "refused", "docs/app.md: no plain file"),
    "huge": ({}, "refused", "docs/app.md: 41943040 bytes, the cap is 33554432"),
    "many": ({}, "refused", "it changed more than 400 files"),
    "repository": ({}, "refused", "sub/: a repository in the repository"),
    "flood": ({}, "over-limit", "goose was ended: output"),
}


@pytest.mark.parametrize("do", DIFFS)
def test_the_diff_is_read_with_care(stage: Stage, do: str) -> None:
    files, name, reason = DIFFS[do]
    attempt = stage.run(do=do)
    assert (attempt.outcome.name, attempt.outcome.reason[: len(reason)]) == (name, reason)
    assert dict(attempt.files) == files
    assert not os.path.exists("/tmp/evil")


def test_what_it_sees(stage: Stage) -> None:
    """No key, no history, no remotes, an empty home, the brief on standard input; nothing of the caller's environment."""
    root = stage.repo.root
    git_dir = os.path.join(root, ".git")
    commit(Path(root), {"src/secret.txt": "x"}, message="a secret story")
    attempt = stage.run("claude", do="look")
    seen = json.loads(attempt.files["docs/app.md"].data)  # type: ignore[union-attr]
    assert KEY not in json.dumps(seen)
    assert "SPLIT_REAL_KEY" not in seen["env"]
    assert not any(root in value for name, value in seen["env"].items() if name != "PATH")
    assert git_dir not in json.dumps(seen["env"])
    assert seen["remotes"] == "the task's start\n"
    assert seen["home"] in ([], [".cache", ".config", ".local"])
    assert "Say that it is new." in seen["stdin"]
    assert seen["env"]["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert seen["env"]["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert seen["env"]["ANTHROPIC_API_KEY"].startswith("split-ci-")


def test_refs_that_it_moves_without_a_sandbox_are_told(stage: Stage) -> None:
    attempt = stage.run(do="refs", box=Sandbox("none"))
    assert attempt.outcome == ("refused", "refs, HEAD or the configuration of the repository changed while goose ran")
    assert attempt.files == {}


def test_refs_are_out_of_reach_in_the_sandbox(stage: Stage) -> None:
    assert stage.run(do="refs").outcome.name == "done"
    assert stage.repo.ask("rev-parse", "--verify", "refs/heads/planted") is None


def test_it_starts_from_the_exact_part(stage: Stage) -> None:
    """What code has done already lies in the checkout, and is no change of the agent's."""
    base = stage.repo.tree("HEAD")
    done: dict[str, File | None] = {
        "src/app.py": None, "src/new.py": File(b"made\n", "100755"), "docs/app.md": File(b"half\n"), "src/app.py.d/x": File(b"x"),
    }  # fmt: skip
    attempt = stage.run(tree=ChangedTree(base, done))
    assert dict(attempt.files) == {"docs/app.md": NEW}


def test_a_file_takes_the_place_of_a_folder(stage: Stage) -> None:
    tree = ChangedTree(stage.repo.tree("HEAD"), {"src/app.py": None, "src": File(b"a file now\n")})
    assert dict(stage.run(tree=tree).files) == {"docs/app.md": NEW}


def test_symlinks_and_submodules_of_the_base_are_no_change(stage: Stage) -> None:
    root = Path(stage.repo.root)
    (root / "link").symlink_to("docs")
    head = git(root, "rev-parse", "HEAD")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    git(root, "add", "link")
    git(root, "commit", "-q", "-m", "links")
    assert dict(stage.run().files) == {"docs/app.md": NEW}


def test_files_that_are_asked_for_count_though_they_are_ignored(stage: Stage) -> None:
    commit(Path(stage.repo.root), {".gitignore": "docs/\n"})
    git(Path(stage.repo.root), "rm", "-q", "--cached", "docs/app.md")
    git(Path(stage.repo.root), "commit", "-q", "-m", "gone")
    assert dict(stage.run(do="new folder").files) == {"docs/app.md": NEW}


def test_a_brief_of_any_size_reaches_it(stage: Stage) -> None:
    attempt = stage.run("claude", do="look", left=("y" * 500_000,))
    seen = json.loads(attempt.files["docs/app.md"].data)  # type: ignore[union-attr]
    assert len(seen["stdin"]) > 500_000


def test_a_program_that_is_missing_is_said_before_anything(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    row = agents.ROWS["goose"]._replace(program="no-such-agent")
    with pytest.raises(UsageError, match=r"agents\.goose: there is no program no-such-agent on PATH"):
        agent_of("goose", repo, "http://127.0.0.1:1", row=row)


def test_a_program_that_can_not_run(stage: Stage) -> None:
    stage.bin.mkdir()
    write(stage.bin, {"goose": "#!/no/such/interpreter\n"})
    (stage.bin / "goose").chmod(0o755)
    agent = agent_of("goose", stage.repo, "http://127.0.0.1:1")
    attempt = agent.implement(task_of(stage.repo))
    assert agent.label == "goose"
    assert attempt.outcome.name == "failed"
    assert "goose changed nothing" in attempt.outcome.reason


def test_nothing_is_left_of_a_run(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    stage.run()
    assert list((tmp_path / "t").iterdir()) == []


def test_frames_from_a_hostile_side() -> None:
    heard = Heard()
    said = b"".join((b"o\0\0\0\x03abc", b"x\0\0\0\x010", b"f\0\0\0\x05n\0txt", b"e\0\0\0\x01!"))
    for at in range(len(said)):
        heard.hear(said[at : at + 1])
    assert heard.ended(None)[1:] == ("abc", "!", {"n": "txt"})
    heard.hear(b"o\xff\xff\xff\xff" + b"A" * 100)
    assert heard.ended(None).stderr.endswith("A" * 100)


# --- the real programs


@pytest.mark.parametrize("mood", ["edit", "giveup", "500", "loop"])
@pytest.mark.parametrize("name", agents.ROWS)
def test_the_real_program(repo: Repo, name: str, mood: str) -> None:
    """`make agents` installs them; SPLIT_CI_REAL_AGENTS says that they are to be used: all that are there, or those it names."""
    wanted = os.environ.get(REAL, "")
    if not wanted:
        pytest.skip(f"real agents are run where {REAL} is set")
    program = agents.ROWS[name].program
    if wanted != "1" and name not in wanted.split(","):
        pytest.skip(f"{REAL} does not name {name}")
    if shutil.which(program) is None:
        if wanted != "1":
            pytest.fail(f"{REAL} names {name}, and there is no {program} on PATH")
        pytest.skip(f"NOT RUN: there is no {program} on PATH")
    if mood == "loop" and name == "aider":
        pytest.skip("aider asks once a message: it can't loop")
    with model_server(COMMAND, mood, BLOCK) as server:
        agent = agent_of(name, repo, server.url, sandbox=choose("auto"), turns=6 if mood == "loop" else 50)
        attempt = agent.implement(task_of(repo))
        assert agent.label != name
    assert KEY not in repr(attempt)
    if mood == "edit":
        assert (attempt.outcome.name, attempt.outcome.reason) == ("done", "")
        assert dict(attempt.files) == {"docs/app.md": NEW}
        assert attempt.usage.calls == len(server.asked)
        assert attempt.usage.input == INPUT * len(server.asked)
    elif mood == "loop":
        assert attempt.outcome.name == "over-limit" or f"{name} itself says: " in attempt.outcome.reason
        assert attempt.usage.calls <= 6
    else:
        assert attempt.outcome.name == "failed"
        assert attempt.files == {}
        assert mood == "giveup" or "the model's server said 500" in attempt.outcome.reason
