"""The sandbox for commands that someone else wrote: bubblewrap where it is, `unshare` else, proved by a probe before it
is used.

Inside there is: a checkout at `/checkout` (writable), the system and the toolchains on PATH (read-only), an
empty home, private
temporary folders, a loopback without a network, an own `/proc`, and an environment from scratch. Nothing else.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci import proc
from split_ci.checkout import LOCK, held_folder
from split_ci.covers import hidden_in_etc, hidden_in_proc
from split_ci.errors import UsageError, WorldError
from split_ci.listeners import Canary, Listeners
from split_ci.results import Execution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

CHECKOUT = "/checkout"
HOME = "/home/split-ci"
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sandbox_probe.py")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store")
VOLATILE = ("/tmp", HOME, "/dev/shm")
VOLATILE_BYTES = 1 << 30
MARKS_OF_KEYS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
NEVER = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "SSH_AUTH_SOCK", "DOCKER_HOST")


class Bind(NamedTuple):
    """A file or folder of this machine, seen inside at `target`; read-only unless it is writable."""

    source: str
    target: str
    writable: bool = False


class Sandbox(NamedTuple):
    """One way to run commands. `facts` is what the probe found; `warning` why there is none, where one was wanted."""

    kind: str  # bubblewrap | unshare | none
    probed: bool = False
    facts: Mapping[str, bool | str] = {}
    warning: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "probed": self.probed, "facts": dict(self.facts)}

    def place(self, folder: str) -> str:
        """Where a checkout's folder is, seen from inside."""
        return folder if self.kind == "none" else CHECKOUT

    def run(
        self,
        command: str | Sequence[str],
        *,
        folder: str,
        env: Mapping[str, str],
        caps: proc.Caps = proc.Caps(),  # noqa: B008 - a value
        binds: Iterable[Bind] = (),
        network: bool = False,
        stop: threading.Event | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Execution:
        """Runs a shell command (or an argument list) in a checkout's folder. Whatever it does is a value; nothing of
        it survives.
        """
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        if any("\0" in part for part in argv):
            return Execution(None, 0.0, fault="a command can't hold a NUL")
        plan = {"argv": argv, "cwd": self.place(folder), "env": dict(env), "network": network}
        if self.kind == "none":
            outside = plan | {"kind": "none", "watch": folder, "volatile": []}
            return proc.supervise((), outside, caps, stop=stop, on_output=on_output)
        binds = list(binds)
        covered = {one.target for one in binds}
        mounts = layout(folder, env.get("PATH", ""), binds, network=network)
        inside = plan | {"kind": self.kind, "watch": CHECKOUT, "volatile": [at for at in VOLATILE if at not in covered]}
        prefix = bubblewrap(mounts, network=network) if self.kind == "bubblewrap" else unshare(network=network)
        if self.kind == "unshare":
            inside |= {"mounts": mounts, "root": proc.program("sandbox_root")}
        return proc.supervise(prefix, inside, caps, stop=stop, on_output=on_output)


def choose(mode: str) -> Sandbox:
    """The sandbox for a mode of the configuration: `auto`, `required` or `none`; probed once a process.

    Raises WorldError where one is required and none works.
    """
    if mode == "none":
        return Sandbox("none", warning="the configuration says `sandbox: none`: commands run with all of your rights")
    with _choosing:
        if "found" not in _chosen:
            _chosen["found"] = _first_that_works()
    found = _chosen["found"]
    if found.kind == "none" and mode == "required":
        raise WorldError(f"no sandbox works here, and one is required: {found.warning}", hint=HOW_TO_MEND)
    return found


HOW_TO_MEND = (
    "install bubblewrap and allow unprivileged user namespaces, or set `sandbox: none` where you trust every command"
)
_choosing = threading.Lock()
_chosen: dict[str, Sandbox] = {}


def _first_that_works() -> Sandbox:
    reasons = []
    for kind, tool in (("bubblewrap", "bwrap"), ("unshare", "unshare")):
        if not sys.platform.startswith("linux"):
            reasons.append(f"{kind}: only on Linux")
        elif _tool(tool) is None:
            reasons.append(f"{kind}: {tool} is not installed")
        else:
            facts = probe(Sandbox(kind))
            wrong = [name for name, fact in facts.items() if fact is not True]
            if not wrong:
                return Sandbox(kind, probed=True, facts=facts)
            reasons.append(f"{kind}: " + (str(facts["fault"]) if "fault" in facts else "not held: " + ", ".join(wrong)))
    why = "; ".join(reasons)
    return Sandbox("none", facts={"reason": why[:4000]}, warning=why)


def environment(
    *,
    path: Sequence[str] = (),
    names: Sequence[str] = (),
    keys: Iterable[str] = (),
    epoch: int = 0,
    place: str = CHECKOUT,
    home: str = HOME,
    temporary: str = "/tmp",
) -> dict[str, str]:
    """A command's whole environment. `names` (the configuration's `env:`) pass through; `keys` are the models' key
    variables.

    Raises UsageError for a name that looks like a key or is one.
    """
    forbidden = set(keys)
    env = {
        "PATH": search_path(path, place), "HOME": home, "TMPDIR": temporary, "TZ": "UTC",
        "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8",
        "TERM": "dumb", "CI": "true", "USER": "split-ci", "LOGNAME": "split-ci", "SHELL": "/bin/sh",
        "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": str(epoch),
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1",
    }  # fmt: skip
    for name in names:
        if name in forbidden or name.upper() in NEVER or any(mark in name.upper() for mark in MARKS_OF_KEYS):
            raise UsageError(
                f".split-ci.yaml: env: {name} looks like a key or a channel; criteria never see one", hint="remove it"
            )
        if name in os.environ:
            env[name] = os.environ[name]
    return env


def search_path(path: Sequence[str], place: str) -> str:
    """PATH inside: the configuration's `path:` (relative ones lie in the checkout), then the caller's own."""
    first = [one if os.path.isabs(one) else os.path.join(place, one) for one in path]
    rest = [one for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(one)]
    return os.pathsep.join(dict.fromkeys([*first, *rest, "/usr/local/bin", "/usr/bin", "/bin"]))


def layout(folder: str, path: str, binds: Iterable[Bind], *, network: bool = False) -> list[list[Any]]:
    """The mounts of a sandbox, in their order: `[kind, …]` as `sandbox_init.MOUNTS` has them."""
    mounts: list[list[Any]] = [["proc", "/proc"], *hidden_in_proc(), ["dev", "/dev"]]
    for system in SYSTEM:
        if os.path.islink(system):
            mounts.append(["symlink", os.readlink(system), system])
        elif os.path.isdir(system):
            mounts.append(["ro", system, system])
    mounts += [["ro", "/etc", "/etc"], *hidden_in_etc()]
    mounts += [["tmpfs", at, VOLATILE_BYTES, "1777" if at != HOME else "700"] for at in VOLATILE]
    mounts += [["symlink", "/tmp", "/var/tmp"], ["symlink", "/run", "/var/run"]]
    mounts += [["ro", one, one] for one in toolchains(path)]
    resolver = os.path.realpath("/etc/resolv.conf")
    if network and not resolver.startswith("/etc/") and os.path.isfile(resolver):
        mounts.append(["ro", resolver, resolver])
    mounts.append(["rw", folder, CHECKOUT])
    mounts += [["rw" if one.writable else "ro", one.source, one.target] for one in binds]
    return mounts


def toolchains(path: str) -> list[str]:
    """The folders outside of the system that PATH, and the interpreter of this process, need; none that holds more
    than tools.
    """
    home = os.path.realpath(os.path.expanduser("~"))
    wanted = [os.path.realpath(sys.base_prefix), os.path.dirname(os.path.dirname(proc.python()))]
    for entry in path.split(os.pathsep):
        if os.path.isabs(entry) and os.path.isdir(entry) and not _below(entry, CHECKOUT):
            wanted += _prefixes(os.path.normpath(entry), home)
    wanted = [
        one for one in dict.fromkeys(wanted) if os.path.isdir(one) and not any(_below(one, system) for system in SYSTEM)
    ]
    return [one for one in wanted if not any(_below(one, other) and one != other for other in wanted)]


def _prefixes(entry: str, home: str) -> list[str]:
    """What a folder on PATH needs around it: its prefix where that is a toolchain's own, else the folder alone."""
    prefix = os.path.dirname(entry)
    real = os.path.realpath(prefix)
    if real == os.path.join(home, ".local"):
        return [entry, *(os.path.join(prefix, one) for one in ("lib", "share/pipx", "share/uv", "share/mise", "pipx"))]
    if real == os.path.join(home, ".cargo"):
        return [entry, os.path.join(home, ".rustup")]
    own = os.path.basename(entry) in ("bin", "sbin", "shims", "condabin", "Scripts")
    broad = real == "/" or _below(home, real) or real in (tempfile.gettempdir(), "/var", "/run", "/home", "/srv", "/mnt")
    return [prefix] if own and not broad else [entry]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def bubblewrap(mounts: Sequence[Sequence[Any]], *, network: bool) -> list[str]:
    """The command line before the supervisor's own."""
    argv = [
        _tool("bwrap") or "bwrap",
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    argv += [] if network else ["--unshare-net"]
    argv += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "split-ci"]
    argv += ["--disable-userns"] if _knows_disable_userns() else []
    for kind, *rest in mounts:
        argv += BUBBLEWRAP[kind](*rest)
    return [*argv, "--remount-ro", "/", "--chdir", "/", "--"]


BUBBLEWRAP: dict[str, Callable[..., list[str]]] = {
    "ro": lambda source, target: ["--ro-bind", source, target],
    "rw": lambda source, target: ["--bind", source, target],
    "tmpfs": lambda target, size, mode: ["--perms", mode, "--size", str(size), "--tmpfs", target],
    "dev": lambda target: ["--dev", target],
    "proc": lambda target: ["--proc", target],
    "symlink": lambda to, at: ["--symlink", to, at],
}


def unshare(*, network: bool) -> list[str]:
    """The command line before the supervisor's own, which builds the mounts itself."""
    argv = [
        _tool("unshare") or "unshare",
        "--user",
        "--map-current-user",
        "--keep-caps",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
    ]
    return [*argv, "--ipc", "--uts", "--cgroup", *([] if network else ["--net"]), "--"]


def _tool(name: str) -> str | None:
    """A tool of the system. One that a repository put on PATH is none."""
    return shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin")


_knows: dict[str, bool] = {}


def _knows_disable_userns() -> bool:
    if "disable" not in _knows:
        said = subprocess.run([_tool("bwrap") or "bwrap", "--help"], capture_output=True, check=False, env={}).stdout
        _knows["disable"] = b"--disable-userns" in said
    return _knows["disable"]


def probe(sandbox: Sandbox) -> dict[str, bool | str]:
    """What really holds inside: each fact true, or false, or, as `fault`, why nothing ran."""
    import json  # noqa: PLC0415

    token = secrets.token_hex(16)
    with held_folder() as outside, Listeners(outside) as listeners, Canary(token):
        folder = os.path.join(outside, "checkout")
        os.mkdir(folder)
        with open(os.path.join(outside, "canary"), "w", encoding="ascii") as file:
            file.write(token)
        question: dict[str, Any] = {
            "token": token,
            "outside": outside,
            "home": os.path.expanduser("~"),
            **listeners.addresses,
        }
        question["shown"] = toolchains(os.environ.get("PATH", ""))
        with open(PROBE, encoding="utf-8") as file:
            argv = [proc.python(), "-I", "-S", "-c", file.read(), json.dumps(question)]
        done = sandbox.run(argv, folder=folder, env=environment(), caps=proc.Caps(seconds=30))
        if done.fault or done.exit != 0:
            return {
                "fault": (
                    done.fault or done.cap or done.output.decode("utf-8", "replace").strip()[-300:] or "it said nothing"
                )
            }
        facts: dict[str, bool | str] = json.loads(done.output)
        facts["datagrams"] = not listeners.heard()
        facts["checkout"] = os.path.isfile(os.path.join(folder, "written"))
        facts["outside"] = bool(facts["outside"]) and sorted(os.listdir(outside)) == ["canary", "checkout", LOCK, "socket"]
    return facts
