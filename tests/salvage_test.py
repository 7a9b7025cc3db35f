"""An agent that is killed together with its run: what it had changed by then is kept, by the rules for one that ended."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from split_ci import checkout, proc, salvage
from split_ci.config import find_config
from split_ci.git import Repo
from split_ci.ledger import INTERRUPTED
from tests.builders import git, make_repo, spec
from tests.kill_test import Place
from tests.paid_test import CONFIG, KEY, Killing, entries, killing, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("openai")

AGENT = """\
import json, os, sys, urllib.request
if "--version" in sys.argv: print("mine 1.0"); sys.exit()
def ask():
    body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "go"}]}).encode()
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)).read()
def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    open(path, "w").write(text)
ask()
write("a.txt", "uno\\n")
write("notes/n.md", "half\\n" if FIRST else "whole\\n")
os.unlink("notes/old.md")
if FIRST:
    write("b.txt", "not mine\\n")
    write("check.sh", "true\\n")
    write("exact.txt", "mine\\n")
    write("specs/first.md", "none\\n")
    write(".github/workflows/ci.yml", "on: push\\n")
    write("notes/__pycache__/x.pyc", "x")
    os.symlink("/etc/passwd", "notes/link")
    os.mkfifo("notes/pipe")
    os.makedirs("notes/sub"); os.system("git init -q notes/sub")
    open("notes/huge", "w").truncate(40 << 20)
ask()
"""
TEXT = spec(
    "### Create `exact.txt`\n```\nexact\n```\n### Instruct `a.txt`\nSay uno.\n", accept="  - run: sh check.sh",
    extra='allow: ["notes/**"]\n',
)  # fmt: skip
FILES = {
    "a.txt": "one\n", "b.txt": "b\n", "check.sh": "grep -q uno a.txt\n", "notes/old.md": "old\n", "specs/first.md": TEXT,
}  # fmt: skip
REMOVER = f"""\
#!/bin/sh
case "$*" in *split-ci-checkouts-*) printf x >> "$KILL_FOLDER/rm"; [ $(wc -c < "$KILL_FOLDER/rm") != $AT ] || {{
  for last; do :; done
  {shutil.which("rm")} -rf "$last/tree/a.txt" "$last/tree/b.txt"
  kill -9 $PPID; exit 1; }} ;;
esac
exec {shutil.which("rm")} "$@"
"""


class Stage(NamedTuple):
    server: Killing
    place: Place

    @property
    def repo(self) -> Path:
        return self.place.repo

    def run(self, *, kill_at: int = 0) -> str:
        ran = run(self.server, self.repo, "run", "--format", "json", kill_at=kill_at, env={"TMPDIR": str(self.place.tmp)})
        assert ran.code == (-signal.SIGKILL if kill_at else 0), ran.out
        return ran.out

    def agents_folder(self) -> Path:
        (found,) = [path.parent for path in self.place.tmp.glob(f"*/{checkout.OWNER}")]
        return found

    def attempts(self) -> list[str]:
        return git(self.repo, "for-each-ref", "--format=%(refname)", "refs/split-ci/attempts/").splitlines()

    def changed(self, ref: str) -> list[str]:
        return git(self.repo, "diff-tree", "-r", "--name-status", "--no-renames", "main", ref).splitlines()

    def cut_off(self) -> list[dict[str, Any]]:
        lines = {json.dumps(e, sort_keys=True): e for e in entries(self.repo) if e["reason"] == INTERRUPTED}
        return list(lines.values())

    def recover(self) -> list[Any]:
        repo = Repo.find(str(self.repo))
        return salvage.recover(repo, find_config(repo))


def install(root: Path, *, first: bool) -> Path:
    program = root / "agents/mine"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{proc.python()} -I\nFIRST = {first}\n{AGENT}")
    program.chmod(0o755)
    return program


@pytest.fixture(params=["auto", "none"])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """With the sandbox and without: a run that was killed as its agent made its second call."""
    with killing(lambda _asked: "go on") as server:
        config = CONFIG.format(url=server.url).replace("[exact, cheap]", "[exact, mine]").replace("strong\n", "rules\n")
        config += f"agents: {{mine: {{command: ['{install(tmp_path, first=True)}'], model: cheap}}}}\n"
        config += f"sandbox: {request.param}\n"
        seed = make_repo(tmp_path / "seed", {**FILES, ".split-ci.yaml": config})
        found = Stage(server, Place(tmp_path, seed, CHEAP_KEY=KEY))
        found.run(kill_at=2)
        install(tmp_path, first=False)
        yield found


KEPT = ["M\ta.txt", "A\texact.txt", "A\tnotes/n.md", "D\tnotes/old.md", "D\tspecs/first.md", "A\tspecs/landed/first.md"]


def as_it_must_be(stage: Stage) -> None:
    """The half of the work that may be kept is, once; the next attempt came to its end; nothing lies around."""
    (half,) = stage.cut_off()
    assert (half["outcome"], half["name"], half["usage"]["calls"], half["usage"]["usd"]) == ("failed", "mine (1.0)", 2, None)
    at = {git(stage.repo, "rev-parse", ref): ref for ref in stage.attempts()}
    assert len(at) == 2
    assert stage.changed(half["commit"]) == KEPT
    assert half["commit"] in at
    assert git(stage.repo, "show", f"{half['commit']}:exact.txt") == "exact"
    assert git(stage.repo, "show", f"{half['commit']}:notes/n.md") == "half"
    assert git(stage.repo, "rev-parse", "split-ci/first") in at
    assert stage.place.left() == []
    git(stage.repo, "fsck", "--strict")


def test_what_it_had_changed_is_kept_by_the_next_run(stage: Stage) -> None:
    (one,) = json.loads(stage.run())["specs"]
    assert one["outcome"] == "done"
    as_it_must_be(stage)
    stage.run()
    as_it_must_be(stage)


@pytest.mark.parametrize("how", ["before", "after", "group"])
@pytest.mark.parametrize("at", ["diff-files", "ls-files", "fast-import", "update-ref"])
@pytest.mark.parametrize("stage", ["auto"], indirect=True)
def test_the_next_run_is_killed_too_while_it_collects(stage: Stage, at: str, how: str) -> None:
    assert stage.place.run(at, how) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    stage.run()
    as_it_must_be(stage)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("stage", ["auto"], indirect=True)
def test_a_folder_that_is_half_removed_tells_nothing(stage: Stage, at: int) -> None:
    """What it lacks was not deleted by the agent: the one that was killed, and, later, the one that ended."""
    remover = stage.place.bin / "rm"
    remover.write_text(REMOVER)
    remover.chmod(0o755)
    stage.place.env["AT"] = str(at)
    assert stage.place.run("no such call") == -signal.SIGKILL
    if at == 1:
        assert not (stage.agents_folder() / "tree/a.txt").exists()
    stage.run()
    as_it_must_be(stage)


def test_the_folder_stays_until_it_is_collected_whoever_tidies_up(stage: Stage) -> None:
    folder = stage.agents_folder()
    checkout.prune(str(stage.place.tmp))
    assert (folder / "tree/notes/n.md").read_text() == "half\n"
    (entry,) = stage.recover()
    assert stage.changed(entry.commit) == KEPT
    assert not folder.exists()
    assert stage.recover() == []


def test_a_folder_whose_journal_is_gone_is_nobody_s(stage: Stage) -> None:
    folder = stage.agents_folder()
    shutil.rmtree(stage.repo / ".git/split-ci")
    checkout.prune(str(stage.place.tmp))
    assert not folder.exists()


def test_what_the_cost_is_known_of_stays_where_the_folder_is_gone(stage: Stage) -> None:
    shutil.rmtree(stage.agents_folder())
    (entry,) = stage.recover()
    assert (entry.commit, entry.usage.calls, entry.reason) == (None, 2, INTERRUPTED)
    assert stage.attempts() == []
    assert stage.recover() == []


def test_a_living_run_s_checkout_is_left_alone(tmp_path: Path) -> None:
    there, may_go_on = threading.Event(), threading.Event()

    def answer(_asked: dict[str, Any]) -> str:
        if len(server.seen) == 1:
            there.set()
            assert may_go_on.wait(60)
        return "go on"

    with killing(answer) as server:
        config = CONFIG.format(url=server.url).replace("[exact, cheap]", "[exact, mine]").replace("strong\n", "rules\n")
        config += f"agents: {{mine: {{command: ['{install(tmp_path, first=False)}'], model: cheap}}}}\n"
        stage = Stage(server, Place(tmp_path, make_repo(tmp_path / "seed", {**FILES, ".split-ci.yaml": config})))
        said: list[str] = []
        running = threading.Thread(target=lambda: said.append(stage.run()))
        running.start()
        assert there.wait(60)
        folder = stage.agents_folder()
        assert stage.recover() == []
        checkout.prune(str(stage.place.tmp))
        assert (folder / "tree/a.txt").read_text() == "uno\n"
        assert stage.attempts() == []
        may_go_on.set()
        running.join()
        assert json.loads(said[0])["specs"][0]["outcome"] == "done"
        assert stage.cut_off() == []
        assert len(stage.attempts()) == 1
        assert stage.place.left() == []
