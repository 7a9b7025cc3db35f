"""What a sandbox's probe must not find, while it looks: sockets of every kind, and a stranger with a secret."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


class Canary:
    """Another process of this user, with a secret in its environment."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", "read line"],
            env={"SPLIT_CI_CANARY": self._token},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Listeners:
    """Sockets of every kind on this machine, that nobody inside may reach."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "socket")
        self._name = "\0split-ci-" + secrets.token_hex(8)
        self._sockets: list[socket.socket] = []
        self.addresses: dict[str, str | int] = {}

    def __enter__(self) -> Self:
        tcp = self._open(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self._udp = self._open(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        folder = os.open(os.path.dirname(self._path), os.O_PATH)
        try:  # by way of its folder, since an address holds 107 bytes and a path more
            self._open(socket.AF_UNIX, socket.SOCK_STREAM, f"/proc/self/fd/{folder}/{os.path.basename(self._path)}")
        finally:
            os.close(folder)
        self._open(socket.AF_UNIX, socket.SOCK_STREAM, self._name)
        self.addresses = {
            "tcp": tcp.getsockname()[1], "udp": self._udp.getsockname()[1], "unix": self._path, "abstract": self._name,
        }  # fmt: skip
        return self

    def _open(self, family: int, kind: int, address: Any) -> socket.socket:  # noqa: ANN401 - what a family takes
        opened = socket.socket(family, kind)
        self._sockets.append(opened)
        opened.bind(address)
        if kind == socket.SOCK_STREAM:
            opened.listen()
        opened.setblocking(False)
        return opened

    def heard(self) -> bool:
        try:
            return bool(self._udp.recv(1))
        except BlockingIOError:
            return False

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()
