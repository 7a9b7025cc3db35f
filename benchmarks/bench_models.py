"""What a model's work costs beside the model: 14 specs in parallel, each with one answer after 2.0 s and a Python criterion.

    python benchmarks/bench_models.py [--specs 14] [--seconds 2.0] [--repeat 3] [--peers]

Beside it, in the same run and on the same server: a bare loop in one process that makes the same calls, edits, commands
and commits (`bare_loop`), and with `--peers` mini-swe-agent and aider, where `mini` and `aider` are on PATH. It prints
makespan, CPU seconds of all processes, the bytes of prompts, and ratios. Then 14 exact specs, which must ask nobody, and
the same 14 with an architect that reviews them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
CONFIG = """\
models:
  cheap: {{api: openai, model: bench-1, base_url: "{url}", key: BENCH_KEY, price: {{input: 0.1, cached: 0.02, output: 0.4}}}}
  strong: {{api: openai, model: bench-2, base_url: "{url}", key: BENCH_KEY, price: {{input: 3, cached: 0.3, output: 15}}}}
implementers: [exact, cheap]
architect: {architect}
limits: {{parallel: {specs}}}
"""
SPEC = """\
---
title: Say it louder, part {n}
status: ready
accept:
  - run: python3 check.py {n}
---

## Changes

### {change}
"""
INSTRUCT = "Instruct `src/part_{n}.py`\nReturn `LOUD {n}` in place of `quiet {n}`.\n"
EDIT = """\
Edit `src/part_{n}.py`
Before:
```python
    return 'quiet {n}'
```
After:
```python
    return 'LOUD {n}'
```
"""
PART = 'def part():\n    """One of many."""\n    return \'quiet {n}\'\n'
CHECK = """\
import importlib, sys

sys.path.insert(0, "src")
sys.exit(not importlib.import_module(f"part_{sys.argv[1]}").part().startswith("LOUD"))
"""
PERSON = ("-c", "user.name=A", "-c", "user.email=a@example.org")
FIXED_BYTES = 2048


class Row(NamedTuple):
    """A way to do the tasks: seconds, CPU seconds of all of its processes, and what the server was asked."""

    name: str
    wall: float
    cpu: float
    asked: list[dict[str, Any]]
    began: float

    def phases(self, seconds: float) -> str:
        """Until the first and the last call left, and from the last answer to the end."""
        times = [one["at"] - self.began for one in self.asked]
        rest = self.wall - max(times) - seconds
        return f"calls leave after {min(times):.2f} to {max(times):.2f} s, {rest:.2f} s after the last answer"


def repository(folder: Path, specs: int, url: str, *, change: str, architect: str = "rules") -> Path:
    """A repository with as many parts, and a spec for each."""
    files = {"check.py": CHECK, ".split-ci.yaml": CONFIG.format(url=url, specs=specs, architect=architect)}
    for n in range(specs):
        files[f"src/part_{n}.py"] = PART.format(n=n)
        files[f"specs/part-{n}.md"] = SPEC.format(n=n, change=change.format(n=n))
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for args in (["init", "-q", "-b", "main"], ["add", "-A"], [*PERSON, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *args], cwd=folder, check=True)
    return folder


@contextmanager
def server(seconds: float, log: Path) -> Iterator[str]:
    """The model's server as a process of its own, whose CPU counts for nobody; its address."""
    log.touch()
    command = [sys.executable, str(HERE / "model_server.py"), str(seconds), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def measured(name: str, seconds: float, work: Callable[[str], None]) -> Row:
    """One way, on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "asked.jsonl"
        with server(seconds, log) as url:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            work(url)
            wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return Row(name, wall, cpu, [json.loads(line) for line in log.read_text().splitlines()], began)


def run(folder: Path, expected: int) -> dict[str, Any]:
    """One `split-ci run`."""
    env = {**os.environ, "BENCH_KEY": "bench", "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-P", "-m", "split_ci", "run", "--format", "json"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert [one["outcome"] for one in answer["specs"]] == ["done"] * expected, done.stdout
    return answer


def split_ci(root: Path, specs: int, seconds: float, *, change: str = INSTRUCT, architect: str = "rules") -> Row:
    folder = root / f"ours-{architect}-{change[:4]}"
    name = "split-ci" if architect == "rules" else "split-ci, reviewed by a model"

    def work(url: str) -> None:
        (folder / ".split-ci.yaml").write_text(CONFIG.format(url=url, specs=specs, architect=architect))
        subprocess.run(["git", *PERSON, "commit", "-qam", "url"], cwd=folder, check=True)
        run(folder, specs)

    repository(folder, specs, "http://127.0.0.1:1/v1", change=change, architect=architect)
    return measured(name, seconds, work)


def bare(root: Path, specs: int, seconds: float) -> Row:
    folder = repository(root / "bare", specs, "http://127.0.0.1:1/v1", change=INSTRUCT)
    command = [sys.executable, "-P", str(HERE / "bare_loop.py"), str(folder)]
    return measured("bare loop", seconds, lambda url: _checked([*command, url, str(specs)], folder))


def _checked(command: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def peer(name: str, root: Path, specs: int, seconds: float, command: Callable[[int, Path], list[str]]) -> Row:
    """A coding agent, a process for each task in a clone of its own, all at once."""

    def one(number: int, url: str) -> None:
        folder = repository(root / f"{name}-{number}", specs, url, change=INSTRUCT)
        home = root / f"{name}-{number}.home"
        home.mkdir()
        env = {
            "HOME": str(home), "OPENAI_API_BASE": url, "OPENAI_API_KEY": "bench", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MSWEA_CONFIGURED": "true", "MSWEA_COST_TRACKING": "ignore_errors", "MSWEA_SILENT_STARTUP": "1",
            "MSWEA_GLOBAL_CONFIG_DIR": str(home),
        }  # fmt: skip
        _checked(command(number, home), folder, env)
        _checked(["python3", "check.py", str(number)], folder)

    def work(url: str) -> None:
        with ThreadPoolExecutor(specs) as pool:
            for each in [pool.submit(one, number, url) for number in range(specs)]:
                each.result()

    return measured(name, seconds, work)


def mini(number: int, home: Path) -> list[str]:
    return [
        "mini", "-y", "--exit-immediately", "-t", f"In src/part_{number}.py: {INSTRUCT.format(n=number)}",
        "-m", "openai/bench-1", "-o", str(home / "traj.json"), "-l", "0", "-c", "mini.yaml", "-c", "agent.step_limit=8",
    ]  # fmt: skip


def aider(number: int, home: Path) -> list[str]:
    meta = {"max_input_tokens": 128000, "max_output_tokens": 8192, "litellm_provider": "openai", "mode": "chat",
            "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}  # fmt: skip
    (home / "meta.json").write_text(json.dumps({"openai/bench-1": meta}))
    (home / "brief.md").write_text(INSTRUCT.format(n=number))
    flags = (
        "--edit-format diff --yes-always --no-auto-commits --no-dirty-commits --no-gitignore --no-stream --no-pretty "
        "--map-tokens 0 --no-check-update --analytics-disable --no-show-model-warnings --no-show-release-notes "
        "--no-detect-urls --no-suggest-shell-commands"
    )
    return [
        "aider", "--message-file", str(home / "brief.md"), "--model", "openai/bench-1", *flags.split(),
        "--model-metadata-file", str(home / "meta.json"), f"src/part_{number}.py",
    ]  # fmt: skip


def said(row: Row, specs: int, floor: Row) -> str:
    sent = sum(one["bytes"] for one in row.asked) / specs
    wall, cpu = row.wall / floor.wall, row.cpu / floor.cpu
    return (
        f"{row.name:<30} {row.wall:6.2f} s ({wall:5.2f})  {row.cpu:6.2f} CPU-s ({cpu:6.2f})  "
        f"{len(row.asked):3} calls  {sent:8.0f} bytes of prompt a task"
    )


def fixed_bytes(row: Row, specs: int) -> int:
    """What a task's first prompt holds beside its own text: the spec's title, criterion and prose, and the file."""
    sent: int = sum(one["bytes"] for one in row.asked)
    text = sum(len((SPEC + INSTRUCT + PART).format(n=n, change="")) for n in range(specs)) / specs
    return round(sent / specs - text)


def reviewed(row: Row, specs: int) -> Iterator[str]:
    asked = [one for one in row.asked if one["role"] == "architect"]
    tokens = sum(one["prompt"] for one in asked) / 4 / specs
    yield f"the architect reads {tokens:.0f} tokens for each landed spec, in {len(asked) / specs:.1f} calls"
    later = asked[1:]
    share = sum(one["shared"] for one in later) / max(1, sum(one["prompt"] for one in later))
    yield f"of its second and later prompts {100 * share:.0f} % stood at the beginning of an earlier one, and can be cached"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=2.0, help="that each answer takes")
    parser.add_argument("--repeat", type=int, default=3, help="how often; the best counts")
    parser.add_argument("--peers", action="store_true", help="mini-swe-agent and aider too, where they are on PATH")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        place, specs, seconds = Path(root), args.specs, args.seconds
        floors, all_ours = [], []
        for turn in range(args.repeat):  # in turns: what else the machine does falls on both
            at = place / str(turn)
            floors.append(bare(at, specs, seconds))
            all_ours.append(split_ci(at, specs, seconds))
        floor, ours = min(floors, key=lambda row: row.wall), min(all_ours, key=lambda row: row.wall)
        rows = [floor, ours]
        for name, command in (("mini", mini), ("aider", aider)):
            if args.peers and shutil.which(name):
                rows.append(peer(name, place, specs, seconds, command))
            elif args.peers:
                print(f"{name} is not on PATH")
        for row in rows:
            print(said(row, specs, floor))
        for row in rows[:2]:
            print(f"{row.name}: {row.phases(seconds)}")
        makespan, cpu = ours.wall / floor.wall, min(row.cpu for row in all_ours) / min(row.cpu for row in floors)
        print(f"makespan {makespan:.2f} times the bare loop's (at most 2), CPU {cpu:.2f} times (at most 6)")
        print(f"the fixed part of a prompt: {fixed_bytes(ours, specs)} bytes (at most {FIXED_BYTES})")
        exact = split_ci(place, specs, seconds, change=EDIT)
        print(f"{specs} exact specs: {len(exact.asked)} calls, {exact.wall:.2f} s, {exact.cpu:.2f} CPU-s")
        judged = split_ci(place, specs, seconds, architect="strong")
        print(said(judged, specs, floor))
        for line in reviewed(judged, specs):
            print(line)


if __name__ == "__main__":
    main()
