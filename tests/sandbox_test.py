"""The sandbox for real: every kind that works here, against commands that try what they must not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from split_ci import sandbox
from split_ci.checkout import prune
from split_ci.errors import UsageError, WorldError
from split_ci.listeners import Listeners
from split_ci.proc import Caps
from split_ci.sandbox import Bind, Sandbox, choose, environment, probe
from split_ci.sandbox_probe import connects_at
from tests.builders import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from split_ci.results import Execution

CANARY = "c4n4ry-0123456789abcdef"
MEBIBYTE = 1 << 20


def works(kind: str) -> bool:
    tool = {"bubblewrap": "bwrap", "unshare": "unshare"}[kind]
    return shutil.which(tool) is not None and all(fact is True for fact in probe(Sandbox(kind)).values())


@pytest.fixture(params=["bubblewrap", "unshare"], scope="module")
def box(request: pytest.FixtureRequest) -> Sandbox:
    if not works(request.param):
        pytest.skip(f"{request.param} doesn't work here")
    return Sandbox(request.param, probed=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    made.mkdir()
    return made


def run(box: Sandbox, command: str, folder: Path, **caps: Any) -> Execution:
    return box.run(command, folder=str(folder), env=environment(), caps=Caps()._replace(**({"seconds": 60.0} | caps)))


def said(done: Execution) -> str:
    assert not done.fault
    return done.output.decode()


def test_probe_holds_every_fact(box: Sandbox) -> None:
    facts = probe(box)
    assert len(facts) > 10
    assert all(fact is True for fact in facts.values())


def test_exit_codes_and_signals_are_the_commands_own(box: Sandbox, folder: Path) -> None:
    assert run(box, "exit 0", folder).exit == 0
    assert run(box, "echo out; echo err >&2; exit 3", folder)[:1] == (3,)
    assert said(run(box, "echo out; echo err >&2", folder)) == "out\nerr\n"
    assert run(box, "kill -TERM $$", folder)[3] == signal.SIGTERM
    assert run(box, "no-such-command", folder).exit == 127


def test_only_the_checkout_is_written(box: Sandbox, folder: Path) -> None:
    assert run(box, "mkdir a && echo x > a/b", folder).exit == 0
    assert (folder / "a/b").read_text() == "x\n"
    for place in ("/", "/usr", "/etc", "/run", "/opt", "/home", "/root", "/var", str(folder.parent)):
        done = run(box, f"echo x > {place}/split-ci-test", folder)
        assert done.exit not in (0, None), place
        assert not os.path.exists(f"{place}/split-ci-test")


def test_temporary_folders_are_private(box: Sandbox, folder: Path) -> None:
    command = "echo x > /tmp/split-ci-private && echo x > ~/split-ci-private && ls -A /tmp ~ /var/tmp"
    done = run(box, command, folder)
    assert done.exit == 0, done
    assert set(said(done).split()) == {"/tmp:", "/home/split-ci:", "/var/tmp:", "split-ci-private"}
    assert not os.path.exists("/tmp/split-ci-private")


SECRET_FILES = (
    ".git/config",
    ".git/credentials",
    ".netrc",
    ".config/gh/hosts.yml",
    ".ssh/id_ed25519",
    ".docker/config.json",
    "runner/_runner_file_commands/set_env_1",
    "other/checkout/secret",
)


@pytest.fixture
def secrets_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A canary wherever secrets lie: beside the checkout, in a parent's and in a stranger's environment."""
    for name in SECRET_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path / "runner"))
    monkeypatch.setenv("GITHUB_TOKEN", CANARY)
    with subprocess.Popen(["/bin/sh", "-c", "read line"], env={"API_KEY": CANARY}, stdin=subprocess.PIPE) as stranger:
        yield tmp_path
        assert stranger.stdin is not None
        stranger.stdin.close()


@pytest.mark.usefixtures("secrets_around")
@pytest.mark.parametrize(
    "command",
    [
        pytest.param("cat /proc/$PPID/environ /proc/*/environ /proc/*/cmdline", id="environments of others"),
        pytest.param("cat {outside}/.git/config {outside}/.git/credentials .git/config", id="git's configuration"),
        pytest.param("cat {outside}/.netrc ~/.netrc", id="netrc"),
        pytest.param("cat {outside}/.config/gh/hosts.yml ~/.config/gh/hosts.yml", id="gh"),
        pytest.param("cat {outside}/.ssh/* ~/.ssh/*", id="ssh"),
        pytest.param("cat {outside}/.docker/config.json ~/.docker/config.json", id="docker's registries"),
        pytest.param("cat {outside}/runner/*/* ${{RUNNER_TEMP:-.}}/*/*", id="the runner's files"),
        pytest.param("cat {outside}/other/checkout/* ../other/checkout/*; ls {outside}", id="other checkouts"),
        pytest.param("cat ../.git/config /checkout/../.netrc", id="by way of the parent"),
        pytest.param("grep -rs --exclude-dir=.pyenv {half}{other} /home /root /tmp /run /var /srv /mnt", id="a search"),
        pytest.param("ln -s {outside}/.netrc link; cat link", id="a symlink"),
        pytest.param("env; set", id="its own environment"),
    ],
)
def test_secrets_are_not_there(box: Sandbox, folder: Path, command: str) -> None:
    done = run(box, command.format(outside=folder.parent, half=CANARY[:8], other=CANARY[8:]), folder)
    assert CANARY not in said(done)


def test_shadow_is_not_readable(box: Sandbox, folder: Path) -> None:
    assert run(box, "test -s /etc/shadow && cat /etc/shadow", folder).exit != 0
    assert run(box, "cat /etc/passwd", folder).exit == 0


SOCKETS = """
import socket, sys
family, address = getattr(socket, sys.argv[1]), eval(sys.argv[2])
with socket.socket(family, getattr(socket, sys.argv[3])) as one:
    one.settimeout(2)
    one.connect(address)
    print("reached")
"""


@pytest.mark.parametrize(
    ("family", "address", "kind"),
    [
        pytest.param("AF_INET", ("127.0.0.1", "PORT"), "SOCK_STREAM", id="loopback of this machine"),
        pytest.param("AF_INET6", ("::1", "PORT6"), "SOCK_STREAM", id="loopback of this machine, IPv6"),
        pytest.param("AF_INET", ("192.0.2.1", 80), "SOCK_STREAM", id="raw address"),
        pytest.param("AF_INET", ("169.254.169.254", 80), "SOCK_STREAM", id="metadata"),
        pytest.param("AF_INET", ("192.0.2.1", 53), "SOCK_DGRAM", id="datagram"),
        pytest.param("AF_INET", ("127.0.0.53", 53), "SOCK_STREAM", id="this machine's resolver"),
        pytest.param("AF_INET6", ("2001:db8::1", 80), "SOCK_STREAM", id="IPv6"),
        pytest.param("AF_INET6", ("2001:db8::1", 53), "SOCK_DGRAM", id="IPv6 datagram"),
        pytest.param("AF_INET", ("example.org", 80), "SOCK_STREAM", id="by name"),
        pytest.param("AF_UNIX", "\0split-ci-test", "SOCK_STREAM", id="abstract"),
        pytest.param("AF_UNIX", "AGENT", "SOCK_STREAM", id="ssh-agent"),
        pytest.param("AF_UNIX", "/var/run/docker.sock", "SOCK_STREAM", id="docker"),
        pytest.param("AF_UNIX", "/run/dbus/system_bus_socket", "SOCK_STREAM", id="the system's bus"),
    ],
)
def test_no_socket_reaches_out(
    box: Sandbox, folder: Path, family: str, address: object, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "reach.py").write_text(SOCKETS)
    agent = str(folder.parent / "agent.sock")
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    with ExitStack() as opened:
        ports = {"'PORT'": "9", "'PORT6'": "9", "AGENT": agent}
        for name, how, at in (
            ("'PORT'", socket.AF_INET, ("127.0.0.1", 0)),
            ("'PORT6'", socket.AF_INET6, ("::1", 0)),
            ("", socket.AF_UNIX, "\0split-ci-test"),
            ("", socket.AF_UNIX, agent),
        ):
            listener = opened.enter_context(socket.socket(how))
            with suppress(OSError):  # there may be no IPv6 here
                listener.bind(at)
                listener.listen()
                ports |= {name: str(listener.getsockname()[1])} if name else {}
        text = repr(address)
        for name, value in ports.items():
            text = text.replace(name, value)
        done = run(box, f'/usr/bin/env python3 reach.py {family} "{text}" {kind}', folder)
    assert done.exit == 1, done
    assert b"reached" not in done.output
    assert b"one.connect(address)" in done.output


def test_a_server_of_its_own_is_reached(box: Sandbox, folder: Path) -> None:
    program = (
        "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); socket.create_connection(s.getsockname())"
    )
    assert run(box, f'python3 -c "{program}"', folder).exit == 0


@pytest.mark.parametrize(
    ("command", "caps", "cap"),
    [
        pytest.param("sleep 1000", {"seconds": 0.5}, "time (0.5 s)", id="never ends"),
        pytest.param("while :; do :; done", {"cpu_seconds": 1}, "CPU time (1 s)", id="burns"),
        pytest.param("yes", {"output_bytes": MEBIBYTE}, "output (1048576 bytes)", id="prints"),
        pytest.param(
            "i=0; while [ $i -lt 300 ]; do sleep 20 & i=$((i+1)); done; wait", {"processes": 64}, "processes (64)", id="forks",
        ),
        pytest.param(
            "python3 -c 'x = bytearray(1 << 30); x[:] = bytes([1]) * (1 << 30); input()' < /dev/zero",
            {"memory_bytes": 100 * MEBIBYTE}, "memory (100 MiB)", id="allocates",
        ),
        pytest.param("head -c 50m /dev/zero > big; exit 1", {"file_bytes": MEBIBYTE}, "", id="one big file, in a pipeline"),
        pytest.param("exec head -c 50m /dev/zero > big", {"file_bytes": MEBIBYTE}, "file size (1 MiB)", id="one big file"),
        pytest.param(
            "for i in 1 2 3 4 5 6; do head -c 20m /dev/zero > $i; sync $i; done; sleep 20",
            {"disk_bytes": 50 * MEBIBYTE}, "disk (50 MiB)", id="many files",
        ),
        pytest.param(
            "exec 3> x; rm x; head -c 90m /dev/zero >&3; sync; sleep 20", {"disk_bytes": 50 * MEBIBYTE}, "disk (50 MiB)", id="deleted file",
        ),
    ],
)  # fmt: skip
def test_caps_are_named(box: Sandbox, folder: Path, command: str, caps: dict[str, float], cap: str) -> None:
    done = run(box, command, folder, **caps)
    assert done.cap == cap, done
    assert done.exit is None or not cap


def test_nothing_survives(box: Sandbox, folder: Path) -> None:
    command = "setsid sh -c 'while :; do date > alive; sleep 0.05; done' & (setsid sleep 1000 &) ; sleep 0.3; echo done"
    assert said(run(box, command, folder)) == "done\n"
    before = (folder / "alive").stat().st_mtime_ns
    time.sleep(0.3)
    assert (folder / "alive").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["bubblewrap", "unshare", "none"])
def test_nothing_survives_our_own_death(folder: Path, kind: str) -> None:
    if kind != "none" and not works(kind):
        pytest.skip(f"{kind} doesn't work here")
    program = (
        "import sys; from split_ci.sandbox import *; "
        "Sandbox(sys.argv[1]).run(\"setsid sh -c 'while :; do date > alive; sleep 0.05; done' & sleep 1000\", "
        "folder=sys.argv[2], env=environment())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, kind, str(folder)], env={**os.environ, "PYTHONPATH": SOURCE}
    ) as parent:
        end = time.monotonic() + 20
        while not (folder / "alive").exists() and time.monotonic() < end:
            time.sleep(0.02)
        parent.kill()
    time.sleep(0.6)
    before = (folder / "alive").stat().st_mtime_ns
    time.sleep(0.4)
    assert (folder / "alive").stat().st_mtime_ns == before


def test_no_privileges_are_gained(box: Sandbox, folder: Path) -> None:
    status = dict(
        line.split(":\t", 1) for line in said(run(box, "cat /proc/self/status", folder)).splitlines() if ":\t" in line
    )
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    assert run(box, "mount -t tmpfs none /tmp", folder).exit != 0
    assert run(box, "cat /proc/1/environ /proc/1/mem", folder).exit != 0


CALLS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def fails(what, answer):
    print(what, "worked" if answer >= 0 else os.strerror(ctypes.get_errno()))
    sys.exit(answer < 0)
"""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(CALLS + "fails('ptrace', libc.ptrace(16, 1, None, None))", id="ptrace of the supervisor"),
        pytest.param(CALLS + "fails('seize', libc.ptrace(0x4206, 1, None, None))", id="seizing the supervisor"),
        pytest.param("open('/proc/1/mem', 'r+b')", id="the supervisor's memory"),
        pytest.param("open('/proc/1/environ', 'rb').read()", id="the supervisor's environment"),
        pytest.param("import os; os.readlink('/proc/1/fd/0')", id="the supervisor's descriptors"),
        pytest.param("import os; os.listdir('/proc/1/root/')", id="the supervisor's root"),
        pytest.param("import os; os.mknod('disk', 0o60666, os.makedev(8, 0))", id="a device made"),
        pytest.param("import os; os.setuid(12345)", id="somebody else"),
        pytest.param("import os; os.chroot('.')", id="chroot"),
        pytest.param(CALLS + "fails('remount', libc.mount(b'none', b'/usr', None, 4096 | 32, None))", id="system, writable"),
        pytest.param(
            CALLS + "fails('prepared', libc.mount(b'none', b'/run/tool', None, 4096 | 32, None))", id="prepared, writable"
        ),
        pytest.param("open('/run/tool/word', 'w')", id="prepared, written"),
        pytest.param("import os; os.unlink('/run/tool/word')", id="prepared, removed"),
        pytest.param(CALLS + "fails('umount', libc.umount2(b'/run/tool', 2))", id="prepared, uncovered"),
        pytest.param(CALLS + "fails('pivot', libc.syscall(155, b'.', b'.'))", id="pivot_root"),
        pytest.param("import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", id="raw packets"),
        pytest.param("import os; os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)", id="the machine's settings"),
        pytest.param("import os; os.nice(-5)", id="a better place"),
        pytest.param("import socket; socket.sethostname('x')", id="the machine's name"),
    ],
)
def test_nothing_is_gained(box: Sandbox, folder: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/word").write_text("there")
    (folder / "try.py").write_text(command)
    binds = [Bind(str(tmp_path / "tool"), "/run/tool")]
    done = box.run(
        "python3 try.py; code=$?; echo; echo over; exit $code", folder=str(folder), env=environment(), binds=binds
    )
    assert done.output.endswith(b"\nover\n")
    assert done.exit == 1, done
    assert b"worked" not in done.output
    assert b"SyntaxError" not in done.output
    assert (tmp_path / "tool/word").read_text() == "there"


def test_setuid_programs_gain_nothing(box: Sandbox, folder: Path) -> None:
    shutil.copy("/bin/cat", folder / "reads")
    (folder / "reads").chmod(0o6755)
    seen = said(run(box, "./reads /proc/self/status", folder))
    assert "CapEff:\t0000000000000000\n" in seen
    assert "NoNewPrivs:\t1\n" in seen


def test_dev_has_only_harmless_nodes(box: Sandbox, folder: Path) -> None:
    command = (
        "for at in /dev/* /dev/*/*; do test -h $at || test ! -c $at -a ! -b $at || echo $at; done; find / -xdev -type b"
    )
    nodes = {node for node in said(run(box, command, folder)).split() if not node.startswith("/dev/pts/")}
    harmless = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx")}
    assert "/dev/null" in nodes
    assert nodes <= harmless


KEYS = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
add_key, keyctl, session = 248, 250, -3
buffer = ctypes.create_string_buffer(100)
if sys.argv[1] == "keep":
    assert libc.syscall(keyctl, 1, None) > 0  # a session of our own, which no other test sees
    assert libc.syscall(add_key, b"user", b"split-ci-test", sys.argv[2].encode(), len(sys.argv[2]), session) > 0
    sys.path.insert(0, sys.argv[3])
    from split_ci.sandbox import Sandbox, environment
    with open(__file__) as file:
        argv = ["python3", "-c", file.read(), "find"]
    print(Sandbox(sys.argv[4]).run(argv, folder=sys.argv[5], env=environment()).output.decode())
    sys.argv[1] = "find"
    print("outside:", end=" ")
found = libc.syscall(keyctl, 10, session, b"user", b"split-ci-test", 0)
size = libc.syscall(keyctl, 11, found, buffer, 100) if found > 0 else 0
print(buffer.raw[:size].decode() if size > 0 else "nothing")
"""


def test_keyrings_are_not_there(box: Sandbox, folder: Path, tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of the calls are those of x86-64")
    (tmp_path / "keys.py").write_text(KEYS)
    argv = [sys.executable, str(tmp_path / "keys.py"), "keep", CANARY, SOURCE, box.kind, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "AssertionError" in done.stderr:
        pytest.skip("this kernel keeps no keys")
    assert done.stdout.split("\n") == ["nothing", "", f"outside: {CANARY}", ""], done.stderr


def test_process_1_can_not_be_killed(box: Sandbox, folder: Path) -> None:
    assert said(run(box, "kill -9 1; kill -TERM 1; sleep 0.1; echo still", folder)).endswith("still\n")


def test_binds_are_seen_where_they_are_asked_for(box: Sandbox, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/word").write_text("there")
    binds = [Bind(str(tmp_path / "tool"), "/checkout/.venv"), Bind(str(tmp_path / "tool/word"), "/run/word")]
    done = box.run("cat .venv/word /run/word; echo x > .venv/word", folder=str(folder), env=environment(), binds=binds)
    assert done.exit not in (0, None)
    assert done.output.startswith(b"therethere")
    assert (tmp_path / "tool/word").read_text() == "there"


def test_the_interpreter_of_this_process_is_there(box: Sandbox, folder: Path) -> None:
    assert run(box, f"{os.path.realpath(sys.executable)} -c 'import json, ssl'", folder).exit == 0


def test_network_is_there_when_it_is_asked_for(box: Sandbox, folder: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        program = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 2)"
        asked: dict[str, Any] = {"folder": str(folder), "env": environment()}
        assert box.run(f'python3 -c "{program}"', network=True, **asked).exit == 0
        assert box.run(f'python3 -c "{program}"', **asked).exit == 1


def test_a_long_path_of_temporary_files_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with Listeners(str(deep)) as listeners:
        assert connects_at(str(listeners.addresses["unix"]))
    for kind in ("bubblewrap", "unshare"):
        if works(kind):
            assert all(fact is True for fact in probe(Sandbox(kind)).values())
    assert os.listdir(deep) == ["socket"]


def test_a_killed_probe_is_cleaned_up_after(tmp_path: Path) -> None:
    program = (
        "import os; from split_ci.sandbox import *; "
        "Sandbox.run = lambda *args, **more: os.kill(os.getpid(), 9); probe(Sandbox('bubblewrap'))"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, env=env, check=False)
    assert (done.returncode, len(os.listdir(tmp_path))) == (-signal.SIGKILL, 1)
    prune(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_as_an_ordinary_user(folder: Path) -> None:
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from split_ci.sandbox import *; "
        "print({k: [n for n, f in probe(Sandbox(k)).items() if f is not True] for k in ('bubblewrap', 'unshare')})"
    )
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-B", "-c", program, SOURCE],
        cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No module named" in done.stderr or "Permission denied" in done.stderr or "No such file" in done.stderr:
        pytest.skip("the source can't be read by others, or there is no other Python")
    assert done.stdout.strip() == "{'bubblewrap': [], 'unshare': []}", done.stderr


FORBIDDEN = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
from split_ci.errors import WorldError
from split_ci.sandbox import choose
open("/proc/sys/user/max_user_namespaces", "w").write("0")
print(choose("auto").kind, bool(choose("auto").warning))
try:
    choose("required")
except WorldError as error:
    print(error.exit_code, error.message[:30])
"""


def test_where_user_namespaces_are_forbidden() -> None:
    """In a namespace whose own limit is nought: `auto` falls back and says so, `required` fails closed."""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", FORBIDDEN, SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "unshare" in done.stderr.splitlines()[-1]:
        pytest.skip("user namespaces are forbidden here to begin with")
    assert done.stdout.splitlines() == ["none True", "4 no sandbox works here, and one"], done.stderr


def test_a_sandbox_that_is_not_wanted_is_none_and_says_so() -> None:
    assert choose("none").kind == "none"
    assert "none" in choose("none").warning


def test_required_fails_closed_where_nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_chosen", {})
    monkeypatch.setattr(sandbox, "_tool", lambda _: None)
    with pytest.raises(WorldError, match="bubblewrap: bwrap is not installed; unshare: unshare is not installed") as caught:
        choose("required")
    assert "bubblewrap" in caught.value.hint
    assert choose("auto").kind == "none"


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "github_token", "MY_SECRET", "DB_PASSWORD", "GITHUB_ENV", "SSH_AUTH_SOCK", "PLAIN"]
)
def test_keys_do_not_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, CANARY)
    with pytest.raises(UsageError, match=rf"^\.split-ci\.yaml: env: {name} looks like a key"):
        environment(names=[name], keys=["PLAIN"])


def test_the_environment_is_from_scratch(box: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ENV", "/x")
    monkeypatch.setenv("LOOKS_FINE", "passes")
    env = environment(names=["LOOKS_FINE", "NOT_SET"], epoch=12)
    seen = dict(line.split("=", 1) for line in said(box.run("env", folder=str(folder), env=env)).splitlines())
    fixed = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "CI": "true", "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "12"}
    assert fixed | {"LOOKS_FINE": "passes", "HOME": "/home/split-ci", "TMPDIR": "/tmp", "PWD": "/checkout"} == {
        name: seen[name] for name in (*fixed, "LOOKS_FINE", "HOME", "TMPDIR", "PWD")
    }
    assert not {"GITHUB_ENV", "NOT_SET"} & set(seen)


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        pytest.param("tool/bin", ["tool"], id="a prefix of its own"),
        pytest.param("bin", ["bin"], id="the home's own bin shows no home"),
        pytest.param(".local/bin", [".local/bin", ".local/lib"], id="local: no keyrings"),
        pytest.param(".cargo/bin", [".cargo/bin"], id="cargo: no credentials"),
        pytest.param("scripts", ["scripts"], id="not a bin"),
    ],
)
def test_toolchains_show_no_more_than_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, shown: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (entry, ".local/lib", ".local/share/keyrings"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    found = [one for one in sandbox.toolchains(str(tmp_path / entry)) if one.startswith(str(tmp_path))]
    assert found == [str(tmp_path / one) for one in shown]
