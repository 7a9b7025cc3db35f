"""How long accepting takes: 14 specs whose criteria sleep a second, and a second criterion in a tree of 100,000 files.

    python benchmarks/bench_accept.py [--files 100000]

Prints ratios against the ideal (a second for the base and the result at once) and against a full `git checkout-index`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from split_ci.checkout import Pool
from split_ci.git import Repo, clean_env
from split_ci.sandbox import choose
from split_ci.settings import Config
from split_ci.spec import Spec, parse_spec
from split_ci.steps.accept import Candidate, accept

TEXT = """---
title: A second
status: ready
accept:
  - run: sleep 1; test -e {path}
---

## Changes

### Create `{path}`
```
x
```
"""
SPECS = 14


def import_commits(root: Path, stream: str) -> list[str]:
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], env=clean_env(), check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input=stream.encode(), env=clean_env(), check=True)
    said = subprocess.run(
        ["git", "for-each-ref", "--format=%(objectname)"], cwd=root, env=clean_env(), capture_output=True, check=True
    )
    return said.stdout.decode().split()


def commit(ref: str, files: dict[str, str], parent: str = "") -> str:
    lines = "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())
    from_line = f"from {parent}\n" if parent else ""
    return f"commit {ref}\ncommitter A <a@example.org> 0 +0000\ndata 0\n{from_line}{lines}\n"


def spec(number: int) -> Spec:
    parsed = parse_spec(TEXT.format(path=f"new{number}.txt").encode(), f"specs/s{number}.md").spec
    assert parsed is not None
    return parsed


def sleepers(folder: Path) -> None:
    stream = commit("refs/heads/00", {"a.txt": "a"})
    stream += "".join(commit(f"refs/heads/{n + 1:02}", {f"new{n}.txt": "x"}, "refs/heads/00") for n in range(SPECS))
    base, *heads = import_commits(folder, stream)
    repo = Repo.find(str(folder))
    choose("auto")
    began = time.monotonic()
    results = accept(repo, [Candidate(spec(n), base, head) for n, head in enumerate(heads)], config=Config(), jobs=SPECS)
    took = time.monotonic() - began
    assert all(one.ok for one in results)
    print(f"14 specs that sleep a second, -j 14: {took:.2f} s, {took:.2f} of the ideal (at most 1.5), {choose('auto').kind}")


def large(folder: Path, count: int) -> None:
    files = {f"d{n // 1000}/s{n // 100 % 10}/f{n}.txt": f"{n}" for n in range(count)}
    stream = commit("refs/heads/a", files) + commit("refs/heads/b", {"d0/s0/f1.txt": "changed"}, "refs/heads/a")
    first, second = import_commits(folder, stream)
    repo = Repo.find(str(folder))
    full = 0.0
    began = time.monotonic()
    with Pool(repo, most=1) as pool:
        for what, rev in (("first", first), ("the same again", first), ("the next commit", second), ("and back", first)):
            start = time.monotonic()
            with pool.checkout(rev):
                took = time.monotonic() - start
            full = full or took
            print(f"{count} files, {what}: {took:.2f} s, {took / full:.3f} of a full checkout")
    print(f"{count} files, all of it and its removal: {time.monotonic() - began:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sleepers(Path(folder) / "sleepers")
        large(Path(folder) / "large", args.files)


if __name__ == "__main__":
    main()
