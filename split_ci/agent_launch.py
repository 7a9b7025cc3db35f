"""The process around an agent, inside the sandbox, as a script of its own: brings it to its meter, hands back what it says.

Its only argument is a folder with `plan.json`, `brief.md` and, in a sandbox, the meter's socket. What the agent prints
goes to standard output in frames: a letter, four bytes of length, the data. `o` and `e` are the agent's two streams,
`f` a file that was asked for (its name, a NUL, its text), `x` the exit code.
"""

import contextlib
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time

MOST_FILE = 8 << 20
LINGER_SECONDS = 0.5  # for what a stream still holds when the agent has ended


def main(folder: str) -> None:
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    for path in plan["folders"]:
        os.makedirs(path, exist_ok=True)
    for path, text in plan["files"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    if plan["port"]:
        forward(os.path.join(folder, "meter"), plan["port"])
    code = run(plan["argv"], os.path.join(folder, "brief.md") if plan["stdin"] else os.devnull)
    for name, path in plan["collects"].items():
        with contextlib.suppress(OSError), open(path, "rb") as kept:
            frame(b"f", name.encode() + b"\0" + kept.read(MOST_FILE))
    frame(b"x", str(code).encode())


def run(argv: list[str], stdin: str) -> int:
    """The agent, from its start to its end; children that it leaves behind are not waited for."""
    with open(stdin, "rb") as brief:
        try:
            process = subprocess.Popen(argv, stdin=brief, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            frame(b"e", f"{argv[0]}: {error.strerror}".encode())
            return 127
    assert process.stdout is not None
    assert process.stderr is not None
    streams = selectors.DefaultSelector()
    for stream, letter in ((process.stdout, b"o"), (process.stderr, b"e")):
        os.set_blocking(stream.fileno(), False)
        streams.register(stream, selectors.EVENT_READ, letter)
    end = None
    while streams.get_map():
        for key, _ in streams.select(0.05):
            data = os.read(key.fd, 1 << 16)
            if data:
                frame(key.data, data)
            else:
                streams.unregister(key.fileobj)
        if end is None and process.poll() is not None:
            end = time.monotonic() + LINGER_SECONDS
        if end is not None and time.monotonic() > end:
            break
    return process.wait()


def frame(letter: bytes, data: bytes) -> None:
    rest = memoryview(letter + struct.pack(">I", len(data)) + data)
    while rest:
        rest = rest[os.write(1, rest) :]


def forward(to: str, port: int) -> None:
    """Listens on this loopback and joins each connection to the socket that leads out."""
    door = socket.create_server(("127.0.0.1", port), backlog=64)
    threading.Thread(target=accept, args=(door, to), daemon=True).start()


def accept(door: socket.socket, to: str) -> None:
    while True:
        with contextlib.suppress(OSError):
            inner, _ = door.accept()
            outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                outer.connect(to)
            except OSError:
                outer.close()
                inner.close()
                continue
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1])
