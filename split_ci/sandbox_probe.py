"""Run inside the sandbox, as a script of its own: tries what must not be possible, and says what was not."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def probe(question: dict[str, Any]) -> dict[str, bool]:
    facts = {
        "processes": not any_environment_holds(question["token"].encode()),
        "tcp": not connects(socket.AF_INET, ("127.0.0.1", question["tcp"])),
        "unix": not connects_at(question["unix"]),
        "abstract": not connects(socket.AF_UNIX, question["abstract"]),
        "network": not reaches("192.0.2.1", socket.AF_INET) and not reaches("2001:db8::1", socket.AF_INET6),
        "interfaces": interfaces() <= {"lo"},
        "loopback": loopback(),
        "home": home_is_empty(question["home"], question["shown"]) and os.listdir(os.environ["HOME"]) == [],
        "outside": not os.path.exists(question["outside"]),
        "read_only": not any(writes(folder) for folder in ("/", "/usr", "/etc", "/run", "/opt", "/var")),
        "secrets": not any(holds_something(path) for path in ("/etc/shadow", "/etc/gshadow"))
        and not os.path.exists("/var/run/docker.sock"),
        "settings": not any(opens(path) for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory")),
        "privileges": no_privileges(),
    }
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", question["udp"]))
    with open("written", "w", encoding="ascii") as file:
        file.write("x")
    return facts


def any_environment_holds(token: bytes) -> bool:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            for what in ("environ", "cmdline"):
                with contextlib.suppress(OSError), open(f"/proc/{name}/{what}", "rb") as file:
                    if token in file.read():
                        return True
    return False


def holds_something(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def connects(family: int, address: Any) -> bool:  # noqa: ANN401 - what a family takes
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        try:
            one.connect(address)
        except OSError:
            return False
    return True


def connects_at(path: str) -> bool:
    """The same for a socket of the file system; its path may be longer than an address."""
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH)
    except OSError:
        return False
    try:
        return connects(socket.AF_UNIX, f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def reaches(address: str, family: int) -> bool:
    """Whether there is a route: connecting a datagram socket sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((address, 9))
    except OSError:
        return False
    return True


def interfaces() -> set[str]:
    return {
        name
        for _, name in socket.if_nameindex()
        if name not in ("tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0")
    }


def loopback() -> bool:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        return connects(socket.AF_INET, one.getsockname())


def home_is_empty(home: str, shown: list[str]) -> bool:
    """Whether nothing of the home folder is seen but the way to toolchains."""
    try:
        names = os.listdir(home)
    except OSError:
        return True
    return all(any(one == (at := os.path.join(home, name)) or one.startswith(at + "/") for one in shown) for name in names)


def writes(folder: str) -> bool:
    path = os.path.join(folder, ".split-ci-probe")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL))
    except OSError:
        return False
    return True


def opens(path: str) -> bool:
    """Whether a file can be opened for writing; nothing is written."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True


def no_privileges() -> bool:
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0 and fields["NoNewPrivs"].strip() == "1"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(json.loads(sys.argv[1]))))
