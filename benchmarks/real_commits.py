"""Real commits, turned into specs and back: does every text commit come out byte for byte?

    python benchmarks/real_commits.py REPOSITORY... [--commits N] [--whole N] [--verbose]

For each of the newest N commits that are not merges: `new --from`, then the spec is read and applied to the parent's
tree in memory, and every path, mode and blob id is compared with the commit's own tree. With `--whole`, that many of them
also go through the command line in a clone: `split-ci new`, `split-ci check`, `split-ci run`; the branch's tree is compared.
Prints a row for each repository, what was refused and why, every miss, and sizes and times as ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha1
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from split_ci.config import Config
from split_ci.edit import apply_exact
from split_ci.errors import SplitCiError
from split_ci.git import Objects, Repo, clean_env
from split_ci.spec import parse_spec
from split_ci.steps import new

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.ports import File

EXPECTED = {  # what a refusal's message holds -> the reason
    "binary content": "binary content", "not UTF-8": "text that is not UTF-8", "a symlink": "a symlink",
    "a submodule": "a submodule",
    "out of reach": "in specs/ or .split-ci.yaml", "this path": "a path that some system reads as another",
    "can't be told from": "names that a case-blind file system can't tell apart", "is a first commit": "a first commit",
    "changes nothing": "an empty commit",
    "unable to read": "content that this copy of the repository lacks",
    "is missing from the repository": "content that this copy of the repository lacks",
}  # fmt: skip


class Tried(NamedTuple):
    """One commit: why it was refused (a reason of `EXPECTED`), or what went wrong; both empty where it came out right."""

    commit: str
    refused: str = ""
    miss: str = ""
    seconds: float = 0.0
    spec_bytes: int = 0
    patch_bytes: int = 1
    verbs: tuple[str, ...] = ()


def try_commit(repo: Repo, commit: str) -> Tried:
    """One commit in memory."""
    started = time.perf_counter()
    try:
        written = new.from_commit(repo, commit, Config())
    except SplitCiError as error:
        reason = next((said for key, said in EXPECTED.items() if key in error.message), "")
        return Tried(commit, refused=reason, miss="" if reason else error.message)
    seconds = time.perf_counter() - started
    spec = parse_spec(written.data, f"specs/{written.id}.md").spec
    if spec is None:
        return Tried(commit, miss="the spec can't be read back")
    patch = repo.git("diff-tree", "-p", "-M", "--binary", written.base, commit)
    with repo.objects() as objects:
        made = apply_exact(spec.changes, repo.tree(written.base, objects)).files
        miss = difference(repo, objects, written.base, commit, made)
    verbs = tuple(type(change).__name__ for change in spec.changes)
    return Tried(commit, "", miss, seconds, len(written.data), max(1, len(patch)), verbs)


def difference(repo: Repo, objects: Objects, base: str, commit: str, files: Mapping[str, File | None]) -> str:
    """How the base with the files in it differs from the commit; empty where it doesn't."""
    want = {path: (e.mode, e.oid) for path, e in repo.tree(commit, objects).paths().items()}
    have = {path: (e.mode, e.oid) for path, e in repo.tree(base, objects).paths().items()}
    for path, file in files.items():
        if file is None:
            have.pop(path, None)
        else:
            have[path] = (file.mode, sha1(b"blob %d\0" % len(file.data) + file.data).hexdigest())
    wrong = sorted(path for path in want.keys() | have.keys() if want.get(path) != have.get(path))
    return f"differs in {', '.join(wrong[:5])}" if wrong else ""


def try_whole(clone: str, commit: str) -> str:
    """The same through the command line, in a clone; what went wrong."""
    parent = run("git", "rev-parse", f"{commit}^", cwd=clone).stdout.strip()
    run("git", "read-tree", parent, cwd=clone)
    id_ = f"c-{commit[:12]}"
    spec = f"specs/{id_}.md"
    try:
        for command in (["new", "--from", commit, "--id", id_], ["check", spec], ["run", spec, "--base", parent]):
            done = run(sys.executable, "-P", "-m", "split_ci", *command, cwd=clone)
            if done.returncode:
                return f"{command[0]}: exit {done.returncode}: {(done.stdout + done.stderr).strip()[-400:]}"
    finally:
        if os.path.exists(os.path.join(clone, spec)):
            os.unlink(os.path.join(clone, spec))
    diff = run("git", "diff", "--name-only", commit, f"refs/heads/split-ci/{id_}", "--", ".", ":!specs", cwd=clone)
    return f"differs in {diff.stdout.split()[:5]}" if diff.stdout or diff.returncode else ""


def run(*argv: str, cwd: str) -> subprocess.CompletedProcess[str]:
    """A command, a second time where the machine had no process to spare."""
    path = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    env = clean_env({"PYTHONPATH": path, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull})
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode and "Resource temporarily unavailable" in done.stderr:
        time.sleep(30)
        return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False)
    return done


def try_repository(where: str, commits: int, whole: int, *, verbose: bool) -> list[Tried]:
    repo = Repo.find(where)
    listed = repo.git("rev-list", "--no-merges", f"--max-count={commits}", "HEAD").decode().split()
    tried = []
    for commit in listed:
        tried.append(try_commit(repo, commit))
        if verbose and (tried[-1].miss or tried[-1].refused):
            print(f"    {commit[:12]} {tried[-1].miss or 'refused: ' + tried[-1].refused}", flush=True)
    right = [one.commit for one in tried if not one.miss and not one.refused]
    if whole and right:
        tried += whole_misses(where, right[:: max(1, len(right) // whole)][:whole])
    return tried


def whole_misses(where: str, commits: list[str]) -> list[Tried]:
    """The commits that go wrong on the command line."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        clone = os.path.join(folder, "clone")
        run("git", "clone", "-q", "--shared", "--no-checkout", os.path.abspath(where), clone, cwd=folder)
        for commit in commits:
            miss = try_whole(clone, commit)
            if miss:
                wrong.append(Tried(commit, miss=f"command line: {miss}"))
    print(f"{len(commits)} through the command line, {len(wrong)} missed")
    return wrong


def show(name: str, tried: list[Tried]) -> None:
    right = [t for t in tried if not t.miss and not t.refused]
    misses = [t for t in tried if t.miss]
    refused = Counter(t.refused for t in tried if t.refused)
    size = median([t.spec_bytes / t.patch_bytes for t in right] or [0.0])
    slow = [t.seconds for t in right] or [0.0]
    print(f"{name}: {len(tried)} commits, {len(right)} byte for byte, {sum(refused.values())} refused, {len(misses)} missed")
    print(f"    spec/patch in bytes: median {size:.2f}; seconds: median {median(slow):.3f}, longest {max(slow):.2f}")
    print("    " + ", ".join(f"{count} {verb}" for verb, count in Counter(v for t in right for v in t.verbs).most_common()))
    for reason, count in refused.most_common():
        print(f"    refused {count}: {reason}")
    for miss in misses:
        print(f"    MISS {miss.commit[:12]}: {miss.miss}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", metavar="REPOSITORY")
    parser.add_argument("--commits", type=int, default=200, metavar="N", help="of each repository (default: 200)")
    parser.add_argument("--whole", type=int, default=0, metavar="N", help="of each also through the command line")
    parser.add_argument("--verbose", action="store_true", help="a line for each commit that was refused")
    args = parser.parse_args()
    everything: list[Tried] = []
    for where in args.repositories:
        tried = try_repository(where, args.commits, args.whole, verbose=args.verbose)
        show(where, tried)
        everything += tried
    show("all", everything)
    return 1 if any(t.miss for t in everything) else 0


if __name__ == "__main__":
    sys.exit(main())
