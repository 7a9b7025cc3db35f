"""`split-ci run` of exact specs without run criteria, against one `git cat-file --batch` and one `git fast-import`.

    python benchmarks/bench_run.py [--specs 1000] [--files 100000]

Rows: many specs in a small repository, and twenty in one of 100,000 files, in 97 folders, in ten and in one.
That floor makes the same commits and branches with no judgement at all. Each figure is the best of a few runs in fresh
copies; what counts is the ratio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import resource
    from collections.abc import Iterator, Sequence

PERSON = "Ada <ada@example.org> 1767323045 +0000"
SPEC = """\
---
title: Say it louder, number {n}
status: ready
accept:
  - contains: {{in: {path}, text: LOUD {n}}}
---

## Why
Because.

## Changes

### Edit `{path}`
Before:
```
quiet {n}
```
After:
```
LOUD {n}
```
"""


class Row(NamedTuple):
    name: str
    floor_seconds: float
    run_seconds: float
    peak_mb: float


def path_of(number: int, folders: int) -> str:
    return f"src/part{number % folders}/file{number}.txt"


def text_of(number: int) -> bytes:
    return f"first line\nquiet {number}\nlast line\n".encode()


def make_repo(folder: str, specs: int, files: int, folders: int) -> str:
    """A repository with as many specs as asked for, each editing a file of its own, and files around them; its base."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    stream = b"".join(_first_commit(specs, files, folders))
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=folder, input=stream, check=True)
    subprocess.run(["git", "read-tree", "main"], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "main"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def _first_commit(specs: int, files: int, folders: int) -> Iterator[bytes]:
    yield f"commit refs/heads/main\ncommitter {PERSON}\ndata 5\nfirst\n".encode()
    for number in range(max(files, specs)):
        yield _inline(path_of(number, folders), text_of(number))
    for number in range(specs):
        yield _inline(f"specs/s{number}.md", SPEC.format(n=number, path=path_of(number, folders)).encode())
    yield b"done\n"


def _inline(path: str, data: bytes) -> bytes:
    return f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def floor(folder: str, specs: int, base: str, folders: int) -> None:
    """The same commits and branches: every file and spec read by one process, everything written by another."""
    names = [name for n in range(specs) for name in (f"{base}:{path_of(n, folders)}", f"{base}:specs/s{n}.md")]
    asked = "".join(name + "\n" for name in names).encode()
    read = subprocess.run(["git", "cat-file", "--batch"], cwd=folder, input=asked, capture_output=True, check=True).stdout
    blobs = list(_blobs(read))
    stream = b"".join(_result(n, path_of(n, folders), base, blobs[2 * n : 2 * n + 2]) for n in range(specs))
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=folder, input=stream + b"done\n", check=True)


def _blobs(out: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        size = int(out[at:end].split(b" ")[2])
        yield out[end + 1 : end + 1 + size]
        at = end + size + 2


def _result(number: int, path: str, base: str, blobs: Sequence[bytes]) -> bytes:
    before, spec = blobs
    after = before.replace(b"quiet", b"LOUD")
    message = f"Say it louder, number {number}\n\nSpec: s{number}\n".encode()
    head = f"commit refs/heads/split-ci/s{number}\ncommitter {PERSON}\ndata {len(message)}\n".encode()
    moves = f"D specs/s{number}.md\n".encode() + _inline(f"specs/landed/s{number}.md", spec)
    return head + message + f"from {base}\n".encode() + _inline(path, after) + moves + b"\n"


def run(folder: str, specs: int) -> float:
    """One `split-ci run` as a process of its own; its peak memory in MB."""
    command = [sys.executable, "-P", "-m", "split_ci", "run", "--format", "json"]
    source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, ".git", "run.json"), "wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, env={**os.environ, "PYTHONPATH": source})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    branches = subprocess.run(
        ["git", "for-each-ref", "refs/heads/split-ci/"], cwd=folder, capture_output=True, check=True
    ).stdout.count(b"\n")
    if process.returncode or branches != specs:
        raise SystemExit(f"split-ci run: exit {process.returncode}, {branches} branches of {specs}")
    return _megabytes(used)


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def measure(name: str, specs: int, files: int, times: int, folders: int) -> Row:
    """Floor and run by turns, each in a fresh copy."""
    floors, runs, peak = [], [], 0.0
    with tempfile.TemporaryDirectory() as scratch:
        first = os.path.join(scratch, "first")
        base = make_repo(first, specs, files, folders)
        for turn in range(times):
            for which in ("floor", "run"):
                copy = shutil.copytree(first, os.path.join(scratch, f"{which}{turn}"))
                start = time.perf_counter()
                if which == "floor":
                    floor(copy, specs, base, folders)
                    floors.append(time.perf_counter() - start)
                else:
                    peak = max(peak, run(copy, specs))
                    runs.append(time.perf_counter() - start)
                shutil.rmtree(copy)
    return Row(name, min(floors), min(runs), peak)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=1000, help="how many specs in the small repository")
    parser.add_argument("--files", type=int, default=100_000, help="how many files in the large repository")
    parser.add_argument("--times", type=int, default=3, help="how many runs, of which the best counts")
    args = parser.parse_args(argv)
    rows = [
        measure(f"{args.specs} specs", args.specs, args.specs, args.times, 97),
        *(measure(f"20 specs, {args.files} files in {n}", 20, args.files, args.times, n) for n in (97, 10, 1)),
    ]
    print(f"{'':32}{'floor':>9}{'run':>9}{'ratio':>8}{'peak':>10}")
    for row in rows:
        ratio = row.run_seconds / row.floor_seconds
        print(f"{row.name:32}{row.floor_seconds:8.2f}s{row.run_seconds:8.2f}s{ratio:8.2f}{row.peak_mb:7.0f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
