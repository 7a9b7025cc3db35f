"""How long `split-ci check` takes, whole processes, as ratios against check-jsonschema and a bare interpreter.

    python benchmarks/bench_check.py [--runs 7]

Aims: one spec at most 0.3 of check-jsonschema on one YAML file (stretch: 4 times `python -c pass`); 1,000 specs at most as
long as check-jsonschema on 1,000 files; and time(1,000) at most 11 times time(100), overlaps included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from time import perf_counter

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPEC = """\
---
title: Change number {n}
status: ready
accept:
  - contains: {{in: src/f{file}.py, text: new {n}}}
---

## Why
Because it is measured.

## Changes

### Edit `src/f{file}.py`
Before:
```python
value_{n} = {n}
```
After:
```python
value_{n} = "new {n}"
```

### Create `new/n{n}.txt`
```
one
two
```
"""
SCHEMA = '{"type": "object", "properties": {"title": {"type": "string"}}}'


def env() -> dict[str, str]:
    """Byte code is kept, as after an installation."""
    out = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") and k != "PYTHONDONTWRITEBYTECODE"}
    return {**out, "PYTHONPATH": ROOT, "PYTHONPYCACHEPREFIX": os.path.join(tempfile.gettempdir(), "split-ci-bench")}


def best(argv: list[str], cwd: str, runs: int) -> float:
    """The quickest of some runs, in seconds: the one that the rest of the machine disturbed least."""
    times = []
    for _ in range(runs + 1):
        start = perf_counter()
        subprocess.run(argv, cwd=cwd, env=env(), check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - start)
    return min(times[1:])


def build(folder: str, specs: int, files: int) -> str:
    """A repository with so many specs, spread over so many files (20 specs in each)."""
    root = os.path.join(folder, f"specs{specs}")
    for name in ("src", "specs", "yaml"):
        os.makedirs(os.path.join(root, name))
    for file in range(files):
        with open(os.path.join(root, f"src/f{file}.py"), "w", encoding="utf-8") as out:
            out.writelines(f"value_{n} = {n}\n" for n in range(specs) if n % files == file)
    for n in range(specs):
        text = SPEC.format(n=n, file=n % files)
        with open(os.path.join(root, f"specs/s{n}.md"), "w", encoding="utf-8") as out:
            out.write(text)
        with open(os.path.join(root, f"yaml/s{n}.yaml"), "w", encoding="utf-8") as out:
            out.write(text.split("---\n")[1])
    with open(os.path.join(root, "schema.json"), "w", encoding="utf-8") as out:
        out.write(SCHEMA)
    for args in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "-qm", "b"],
    ):
        subprocess.run(["git", *args], cwd=root, env=env(), check=True)
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    check = [sys.executable, "-P", "-m", "split_ci", "check"]
    with tempfile.TemporaryDirectory() as folder:
        one, hundred, thousand = (build(folder, n, max(1, n // 20)) for n in (1, 100, 1000))
        peer = [sys.executable, "-P", "-m", "check_jsonschema", "--schemafile", "schema.json"]
        all_yaml = [f"yaml/s{n}.yaml" for n in range(1000)]
        bare = best([sys.executable, "-c", "pass"], one, runs)
        peer_one = best([*peer, "yaml/s0.yaml"], one, runs)
        ours_one = best(check, one, runs)
        staged_one = best([*check, "--staged"], one, runs)
        ours_100 = best(check, hundred, max(2, runs // 2))
        ours_1000 = best(check, thousand, max(2, runs // 2))
        peer_1000 = best([*peer, *all_yaml], thousand, 2)
    rows = (
        ("python -c pass", bare, ""),
        ("check-jsonschema, 1 file", peer_one, ""),
        ("split-ci check, 1 spec", ours_one, f"{ours_one / peer_one:.2f} of check-jsonschema (aim 0.30)"),
        ("", ours_one, f"{ours_one / bare:.1f} times bare Python (stretch 4)"),
        ("split-ci check --staged, 1 spec", staged_one, f"{staged_one / peer_one:.2f} of check-jsonschema"),
        ("split-ci check, 100 specs", ours_100, ""),
        ("split-ci check, 1,000 specs", ours_1000, f"{ours_1000 / ours_100:.1f} times 100 specs (aim 11)"),
        ("check-jsonschema, 1,000 files", peer_1000, f"split-ci takes {ours_1000 / peer_1000:.2f} of it (aim 1.00)"),
    )
    for name, seconds, ratio in rows:
        print(f"{name:<32} {seconds * 1000:6.0f} ms  {ratio}".rstrip())


if __name__ == "__main__":
    main()
