"""What was paid for is not asked again: real runs are killed at each of their calls, and the next one asks only what is left.

The model's server is on loopback and is asked through the real SDK. It kills the run while a call is under way: that one,
of which nobody knows whether it is billed, is made again; each before it was paid for, and is not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from split_ci import proc
from split_ci.git import clean_env
from split_ci.past import read_journal
from tests.builders import PERSON, SOURCE, git, make_repo, spec
from tests.kill_test import Place
from tests.lane_test import block
from tests.models.contract_test import said
from tests.models.servers import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytest.importorskip("openai")

KEY = "sk-canary-0123456789abcdef"
CONFIG = """\
models:
  cheap: {{api: openai, model: small, base_url: '{url}/v1', key: CHEAP_KEY, price: {{input: 1, cached: 0.1, output: 10}}}}
  strong: {{api: openai, model: large, base_url: '{url}/v1', key: CHEAP_KEY, price: {{input: 10, cached: 1, output: 50}}}}
architect: strong
implementers: [exact, cheap]
"""
INSTRUCT = spec("### Instruct `a.txt`\nSay uno.\n", accept="  - run: date +%N; grep -q uno a.txt")
FINDING = {"path": "a.txt", "line": 1, "quote": "uno", "message": "say it louder", "cause": "implementer"}
LATER = block("UNO uno").replace("\none\n", "\nuno\n")


class Killing(Server):
    """Answers by what it is asked, and kills at one of the calls."""

    def __init__(self, answer: Callable[[dict[str, Any]], str]) -> None:
        super().__init__()
        self.RequestHandlerClass = Answering
        self.answer = answer
        self.seen: list[str] = []
        self.kill_at = 0
        self.victim = 0


class Answering(Handler):
    server: Killing

    def do_POST(self) -> None:  # noqa: N802 - the base's name
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = server.answer(asked)
        server.seen.append(text)
        if len(server.seen) == server.kill_at:
            os.kill(server.victim, signal.SIGKILL)
            self.close_connection = True
            return
        data = json.dumps(said("openai", text).body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Ran(NamedTuple):
    code: int
    out: str


def run(server: Killing, repo: Path, *args: str, kill_at: int = 0, env: Mapping[str, str] | None = None) -> Ran:
    """One command; at its `kill_at`th call from now on (0: none), it is killed."""
    server.kill_at = len(server.seen) + kill_at if kill_at else 0
    with (repo.parent / "out").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "split_ci", *args],
            cwd=repo, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=clean_env({**PERSON, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "CHEAP_KEY": KEY, **(env or {})}),
        )  # fmt: skip
        server.victim = process.pid
        code = process.wait(timeout=120)
        out.seek(0)
        return Ran(code, out.read())


def judged(decision: str, *findings: Mapping[str, Any], earlier: int = 0) -> str:
    return json.dumps({
        "summary": "Read.", "decision": decision, "findings": findings,
        "files": [{"path": "a.txt", "decision": "ok" if decision == "approve" else "change", "reason": ""}],
        "criteria": [{"id": "a1", "decision": "met", "reason": ""}],
        "earlier": [{"number": n + 1, "state": "fixed", "reason": ""} for n in range(earlier)],
        "coaching": {"answer": "No.", "lessons": []},
    })  # fmt: skip


def two_rounds(asked: dict[str, Any]) -> str:
    """Round 1 needs two answers and then a mended criterion, and is sent back; round 3 is approved."""
    turns = [message["content"] for message in asked["messages"]]
    if "response_format" in asked:
        again = "found in the round before" in turns[1]
        return judged("approve", earlier=1) if again else judged("request_changes", FINDING)
    if "A reviewer found" in turns[1]:
        return LATER
    if "is not met" in turns[1]:
        return block("uno")
    return block("eins") if len(turns) > 2 else block("eins").replace("\none\n", "\nnowhere\n")


def start(tmp_path: Path, server: Server, text: str = INSTRUCT) -> Path:
    files = {"a.txt": "one\n", "specs/first.md": text, ".split-ci.yaml": CONFIG.format(url=server.url)}
    return make_repo(tmp_path / "r", files)


def entries(repo: Path) -> list[dict[str, Any]]:
    """Every line of the ledger, as it stands in the notes."""
    lines = []
    for row in git(repo, "notes", "--ref=split-ci", "list").splitlines():
        lines += [json.loads(line) for line in git(repo, "cat-file", "blob", row.split()[0]).splitlines()]
    return lines


def killing(answer: Callable[[dict[str, Any]], str]) -> Any:
    return serving(server=Killing(answer))


CALLS = 6  # two for round 1, one for its red criterion, a review, one for the finding, a review


@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_a_run_is_killed_at_each_of_its_calls(tmp_path: Path, at: int) -> None:
    with killing(two_rounds) as server:
        repo = start(tmp_path, server)
        assert run(server, repo, "run", kill_at=at).code == -signal.SIGKILL
        done = run(server, repo, "run", "--format", "json")
        assert done.code == 0, done.out
        (one,) = json.loads(done.out)["specs"]
        assert (one["outcome"], one["review"]["decision"]) == ("unchanged" if at == CALLS else "done", "approve")
        asked = Counter(server.seen)
        assert sum(asked.values()) == CALLS + 1
        assert [text for text, count in asked.items() if count == 2] == [server.seen[at - 1]]
        lines = entries(repo)
        attempts = 5 if at == 2 else 6  # one that was killed before its first answer has nothing to go on with
        assert len({line["attempt"] for line in lines}) == len(lines) == attempts
        assert sum(line["usage"]["calls"] for line in lines) == CALLS + 1
        assert sum(line["usage"]["usd"] is None for line in lines) == 1  # of the call that nobody saw the end of
        assert [path for path in (repo / ".git/split-ci").rglob("*") if path.is_file()] == []
        assert run(server, repo, "run").code == 0
        assert len(server.seen) == CALLS + 1


def test_a_run_is_killed_again_and_again(tmp_path: Path) -> None:
    with killing(two_rounds) as server:
        repo = start(tmp_path, server)
        for _ in range(CALLS - 1):
            assert run(server, repo, "run", kill_at=2).code == -signal.SIGKILL  # one answer further each time
        done = run(server, repo, "run")
        assert done.code == 0, done.out
        lines = entries(repo)
        assert len({line["attempt"] for line in lines}) == len(lines)
        assert sum(line["usage"]["calls"] for line in lines) == len(server.seen) == 2 * CALLS - 1
        assert [count for count in Counter(server.seen).values() if count > 2] == []


def test_what_a_killed_run_paid_is_seen_at_once(tmp_path: Path) -> None:
    with killing(two_rounds) as server:
        repo = start(tmp_path, server)
        run(server, repo, "run", kill_at=2)
        (path,) = (repo / ".git/split-ci/journal").iterdir()
        told = read_journal(path.read_bytes())
        assert told is not None
        assert [answer.text for answer in told.answers.values()] == [server.seen[0]]
        assert path.stat().st_mode & 0o777 == 0o600
        assert KEY not in path.read_text()
        assert run(server, repo, "run", "--dry-run").code == 0
        assert len(server.seen) == 2


def test_another_spec_is_another_question(tmp_path: Path) -> None:
    with killing(two_rounds) as server:
        repo = start(tmp_path, server)
        run(server, repo, "run", kill_at=2)
        (repo / "specs/first.md").write_text(INSTRUCT.replace("Say uno.", "Say uno, please."))
        git(repo, "commit", "-qam", "please")
        assert run(server, repo, "run").code == 0
        assert len(server.seen) == CALLS + 2
        assert len({line["digest"] for line in entries(repo)}) == 2
        assert sum(line["usage"]["calls"] for line in entries(repo)) == CALLS + 2


def designing(asked: dict[str, Any]) -> str:
    turn = sum(message["role"] == "assistant" for message in asked["messages"])
    return ("READ a.txt", "SPEC\nno front matter", f"SPEC\n{INSTRUCT}")[turn]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_design_is_killed_at_each_of_its_calls(tmp_path: Path, at: int) -> None:
    with killing(designing) as server:
        repo = start(tmp_path, server, text="draft")
        git(repo, "rm", "-q", "specs/first.md")
        git(repo, "commit", "-qm", "no spec")
        goal = ("design", "Say uno", "--no-prove", "--format", "json")
        assert run(server, repo, *goal, kill_at=at).code == -signal.SIGKILL
        done = run(server, repo, *goal)
        assert done.code == 0, done.out
        assert len(server.seen) == 4
        lines = entries(repo)
        assert len(lines) == (2 if at == 1 else 1)
        assert {line["role"] for line in lines} == {"architect"}
        assert sum(line["usage"]["calls"] for line in lines) == 4
        assert lines[-1]["outcome"] == "done" or lines[0]["outcome"] == "done"
        assert list((repo / ".git/split-ci/journal").iterdir()) == []


AGENT = """\
import json, os, sys, urllib.request
if "--version" in sys.argv: print("mine 1.0"); sys.exit()
body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "go"}]}).encode()
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)).read()
open("a.txt", "w").write("uno\\n")
"""


def test_what_an_agent_made_is_not_made_again(tmp_path: Path) -> None:
    """The run is killed after its agent has ended, at the gate's first call of git."""
    with killing(lambda _asked: "go on") as server:
        program = tmp_path / "agents/mine"
        program.parent.mkdir()
        program.write_text(f"#!{proc.python()} -I\n{AGENT}")
        program.chmod(0o755)
        config = CONFIG.format(url=server.url).replace("[exact, cheap]", "[exact, mine]").replace("strong\n", "rules\n")
        config += f"agents: {{mine: {{command: ['{program}'], model: cheap}}}}\n"
        seed = make_repo(tmp_path / "seed", {"a.txt": "one\n", "specs/first.md": INSTRUCT, ".split-ci.yaml": config})
        place = Place(tmp_path, seed, CHEAP_KEY=KEY)
        assert place.run("diff-tree") == -signal.SIGKILL
        assert len(server.seen) == 1
        assert place.run() == 0, (tmp_path / "said").read_text()
        assert len(server.seen) == 1
        (line,) = place.ledger()
        assert (line["usage"]["calls"], line["outcome"], line["name"]) == (1, "done", "mine (1.0)")
        assert git(place.repo, "show", "split-ci/first:a.txt") == "uno"
        assert place.left() == []
