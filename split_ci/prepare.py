"""What `prepare:` makes, so that criteria can run: once for each state of the manifests and lock files, kept, mounted
read-only.

The commands run in a clean checkout, in the sandbox, with the network and without any key. What they leave untracked in the
checkout, and in their home, is moved to `<git folder>/split-ci/prepared/<digest>/`, and seen by the criteria at the
same paths.
Without a sandbox nothing can be mounted: then the commands run before each criterion, in its own checkout.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import threading
from typing import TYPE_CHECKING, NamedTuple

from split_ci import sandbox as boxes
from split_ci.folders import remove
from split_ci.paths import matches
from split_ci.proc import Caps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.checkout import Checkout, Pool
    from split_ci.git import Repo
    from split_ci.ports import Tree
    from split_ci.settings import Config

MANIFESTS = (
    "**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/*requirements*.txt", "**/requirements/*.txt",
    "**/constraints*.txt",
    "**/Pipfile", "**/package.json", "**/.npmrc", "**/Cargo.toml", "**/go.mod", "**/go.sum", "**/Gemfile", "**/*.gemspec",
    "**/composer.json", "**/pom.xml", "**/*.gradle", "**/*.gradle.kts", "**/gradle.properties", "**/CMakeLists.txt",
    "**/environment.y*ml", "**/mix.exs", "**/*.csproj", "**/flake.nix", "**/.python-version",
    "**/.tool-versions", "**/.nvmrc",
    "**/*.lock", "**/*-lock.json", "**/*-lock.yaml", "**/*.lockb",
)  # fmt: skip
KEPT = 8
SECONDS = 1800.0
CHATTER = ("[notice]", "npm notice", "npm ERR! A complete log", "npm error A complete log")  # below what went wrong


class Prepared(NamedTuple):
    """What criteria see of it: `binds` to mount, `links` to make (path, target); `fault` why there is nothing."""

    binds: tuple[boxes.Bind, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    fault: str = ""


class Preparations:
    """The prepared states of one repository, each made once however many ask for it at a time."""

    def __init__(self, repo: Repo, pool: Pool, sandbox: boxes.Sandbox, config: Config) -> None:
        self._pool = pool
        self._sandbox = sandbox
        self._config = config
        self._folder = os.path.join(repo.common_dir, "split-ci", "prepared")
        self._locks: dict[str, threading.Lock] = {}
        self._failed: dict[str, Prepared] = {}
        self._lock = threading.Lock()

    def of(self, commit: str, tree: Tree, *, git_dir: str | None, env: Mapping[str, str]) -> Prepared:
        """What `prepare:` makes of a commit: from the cache, or made now."""
        if not self._config.prepare or self._sandbox.kind == "none":
            return Prepared()
        digest = digest_of(self._config, tree)
        with self._lock:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            if digest in self._failed:
                return self._failed[digest]
            folder = os.path.join(self._folder, digest)
            if not os.path.isfile(os.path.join(folder, "done.json")):
                fault = self._make(commit, folder, git_dir, env)
                if fault:
                    self._failed[digest] = Prepared(fault=fault)
                    return self._failed[digest]
            return load(folder)

    def here(self, checkout: Checkout, env: Mapping[str, str]) -> str:
        """Without a sandbox: runs the commands in a criterion's own checkout. What went wrong, or nothing."""
        if not self._config.prepare or self._sandbox.kind != "none":
            return ""
        return self._run(checkout, env, ())

    def _make(self, commit: str, folder: str, git_dir: str | None, env: Mapping[str, str]) -> str:
        os.makedirs(self._folder, exist_ok=True)
        prune(self._folder, KEPT - 1)
        made = tempfile.mkdtemp(prefix="tmp-", dir=self._folder)
        try:
            home = os.path.join(made, "home")
            os.mkdir(home)
            with self._pool.checkout(commit, git_dir=git_dir) as checkout:
                fault = self._run(checkout, env, (boxes.Bind(home, boxes.HOME, writable=True),))
                if fault:
                    return fault
                keep(made, checkout.folder, self._pool.untracked(checkout))
            with contextlib.suppress(OSError):  # another run was first
                os.rename(made, folder)
        finally:
            if os.path.isdir(made):
                remove(made)
        return ""

    def _run(self, checkout: Checkout, env: Mapping[str, str], binds: Sequence[boxes.Bind]) -> str:
        stores = tuple(boxes.Bind(store, store) for store in checkout.stores)
        for command in self._config.prepare:
            done = self._sandbox.run(
                command, folder=checkout.folder, env=env, caps=Caps(seconds=SECONDS), binds=(*stores, *binds), network=True
            )
            if done.exit != 0:
                why = done.fault or done.cap or f"exit {done.exit}: {telling(done.output)[:300]}"
                return f"environment: `prepare` failed at `{command[:80]}`: {why}"
        return ""


def telling(output: bytes) -> str:
    """The line of a failed command's output that says most: the last that isn't an installer's word about itself."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line]
    return next((line for line in reversed(said) if not line.startswith(CHATTER)), said[-1] if said else "")


def digest_of(config: Config, tree: Tree) -> str:
    """Names a prepared state: the commands, what they see of the environment, every manifest and lock file of the tree."""
    kept = [(path, entry.oid) for path, entry in tree.paths().items() if any(matches(glob, path) for glob in MANIFESTS)]
    toolchains = boxes.toolchains(boxes.search_path(config.path, boxes.CHECKOUT))
    value = [1, config.prepare, config.path, [(name, os.environ.get(name)) for name in config.env], toolchains, sorted(kept)]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:40]


def keep(made: str, checkout: str, untracked: Sequence[str]) -> None:
    """Moves what is untracked in a checkout to a folder of its own, flat, with a list that says where each lay."""
    os.mkdir(os.path.join(made, "files"))
    entries: dict[str, str] = {}
    links: dict[str, str] = {}
    for number, path in enumerate(untracked):
        at = os.path.join(checkout, path)
        mode = os.lstat(at).st_mode
        if stat.S_ISLNK(mode):
            links[path] = os.readlink(at)
        elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            os.rename(at, os.path.join(made, "files", str(number))) if _same_device(at, made) else _copy(at, made, number)
            entries[path] = str(number)
    for name in os.listdir(os.path.join(made, "home")):
        mode = os.lstat(os.path.join(made, "home", name)).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            entries[f"{boxes.HOME}/{name}"] = f"../home/{name}"
    with open(os.path.join(made, "done.json"), "w", encoding="utf-8") as file:
        json.dump({"entries": entries, "links": links}, file)


def _same_device(path: str, other: str) -> bool:
    return os.lstat(path).st_dev == os.lstat(other).st_dev


def _copy(at: str, made: str, number: int) -> None:
    import subprocess  # noqa: PLC0415

    subprocess.run(["cp", "-a", "--", at, os.path.join(made, "files", str(number))], check=True, capture_output=True)


def load(folder: str) -> Prepared:
    """A prepared state as mounts and links."""
    with open(os.path.join(folder, "done.json"), encoding="utf-8") as file:
        value = json.load(file)
    os.utime(folder)
    binds = tuple(
        boxes.Bind(os.path.normpath(os.path.join(folder, "files", name)), os.path.join(boxes.CHECKOUT, path))
        for path, name in value["entries"].items()
    )
    return Prepared(binds, tuple(value["links"].items()))


def place(prepared: Prepared, checkout: str) -> tuple[boxes.Bind, ...]:
    """The mounts that a checkout can take, its links made: nothing goes where the commit has a file, or through a
    symlink.
    """
    for path, target in prepared.links:
        at = os.path.join(checkout, path)
        if _free(checkout, path):
            os.makedirs(os.path.dirname(at), exist_ok=True)
            os.symlink(target, at)
    inside = boxes.CHECKOUT + "/"
    return tuple(
        bind
        for bind in prepared.binds
        if not bind.target.startswith(inside) or _free(checkout, bind.target.removeprefix(inside))
    )


def _free(checkout: str, path: str) -> bool:
    """Whether nothing lies at a path, and only real folders, or nothing, on the way to it."""
    at = checkout
    parts = path.split("/")
    for number, part in enumerate(parts, 1):
        at = os.path.join(at, part)
        try:
            mode = os.lstat(at).st_mode
        except FileNotFoundError:
            return True
        if number == len(parts) or not stat.S_ISDIR(mode):
            return False
    return False


def prune(folder: str, most: int) -> None:
    """Keeps the prepared states that were used last, and removes what killed runs left for more than a day."""
    import time  # noqa: PLC0415

    found = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            used = os.lstat(path).st_mtime
            if not name.startswith("tmp-"):
                found.append((used, path))
            elif used < time.time() - 86_400:
                remove(path)
    for _, path in sorted(found, reverse=True)[most:]:
        remove(path)
