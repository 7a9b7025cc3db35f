"""Runs a process with a deadline and a cap on its output, and leaves none of its tree behind.

Every command has a supervisor (`sandbox_init.py`) between it and us: it adopts what the command leaves behind, `setsid`
or not,
and ends it all when the command ends, when a cap is passed, or when we are gone, `kill -9` included.
"""

from __future__ import annotations

import marshal
import os
import selectors
import signal
import subprocess
import sys
import time
from threading import Event  # noqa: TC003 - part of a signature that others read
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci import cgroup
from split_ci.errors import WorldError
from split_ci.results import Execution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType

START = """
import marshal, os, sys
control, status, data = int(sys.argv[1]), int(sys.argv[2]), b""
while len(data) < 8 or len(data) < 8 + int.from_bytes(data[:8], "little"):
    part = os.read(control, 1 << 16)
    data += part or sys.exit()
plan = marshal.loads(data[8:])
program = {"__name__": "sandbox_init"}
exec(plan.pop("program"), program)
program["main"](plan, control, status)
"""
KEPT_BYTES = 1 << 20
GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.1


class Caps(NamedTuple):
    """What one command may use. `processes` counts threads; `output_bytes` is both of its streams together."""

    seconds: float = 600.0
    cpu_seconds: int = 3600
    memory_bytes: int = 8 << 30
    processes: int = 1024
    file_bytes: int = 2 << 30
    disk_bytes: int = 4 << 30
    open_files: int = 4096
    output_bytes: int = 16 << 20


class Stopped(WorldError):
    """A command was ended because we were asked to stop."""


def python() -> str:
    """The interpreter itself, outside of any virtual environment."""
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(base)


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    caps: Caps = Caps(),  # noqa: B008 - a value
    stop: Event | None = None,
    on_output: Callable[[bytes], None] | None = None,
) -> Execution:
    """Runs one command without a sandbox. Never raises for what it does; no process of it is left when this returns."""
    plan = {"kind": "none", "argv": list(argv), "cwd": cwd, "env": dict(env), "watch": cwd, "volatile": []}
    return supervise((), plan, caps, stop=stop, on_output=on_output)


def supervise(
    prefix: Sequence[str],
    plan: Mapping[str, Any],
    caps: Caps,
    *,
    stop: Event | None = None,
    on_output: Callable[[bytes], None] | None = None,
) -> Execution:
    """Runs a plan of `sandbox_init` behind a prefix (bubblewrap, unshare, or nothing).

    Raises Stopped where `stop` is set while it runs.
    """
    group = cgroup.make(processes=caps.processes, memory_bytes=caps.memory_bytes)
    try:
        return _supervise(prefix, plan, caps, group, stop, on_output)
    finally:
        if group is not None:
            group.close()


def _supervise(
    prefix: Sequence[str],
    plan: Mapping[str, Any],
    caps: Caps,
    group: cgroup.Group | None,
    stop: Event | None,
    on_output: Callable[[bytes], None] | None,
) -> Execution:
    opened: list[int] = []
    for _ in range(3):
        try:
            opened += os.pipe()
        except OSError as error:
            _close(opened)
            raise WorldError(f"no command can be started: {error.strerror}", again=True) from None
    control_read, control, status, status_write, output, output_write = opened
    argv = [*prefix, python(), "-I", "-S", "-c", START, str(control_read), str(status_write)]
    doors = list(group.descriptors) if group else []
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            argv, cwd="/", env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL,
            stdout=output_write, stderr=output_write, pass_fds=(control_read, status_write, *doors), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        _close(opened)
        return Execution(None, 0.0, fault=f"{argv[0]} can't be started: {error.strerror}")
    _close([control_read, status_write, output_write])
    life = _Life(process, control, caps, stop, group)
    try:
        counted = list(group.controllers) if group else []
        life.send({
            **plan, "caps": caps._asdict(), "doors": doors, "counted": counted, "program": program("sandbox_init"),
        })  # fmt: skip
        kept, said = _listen(life, output, status, on_output)
    finally:
        life.end()
        _close([status, output])
    if life.interrupted:
        raise Stopped("stopped before a command had ended", again=True)
    return _execution(life.cap or life.passed(), kept, said, time.monotonic() - began)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def program(name: str) -> CodeType:
    """A module beside this one, compiled to be run in another process; once."""
    if name not in _programs:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
        with open(path, encoding="utf-8") as file:
            _programs[name] = compile(file.read(), f"{name}.py", "exec")
    return _programs[name]


_programs: dict[str, CodeType] = {}


class _Life:
    """The pipe that the supervisor lives by, and the reasons to close it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        control: int,
        caps: Caps,
        stop: Event | None,
        group: cgroup.Group | None,
    ) -> None:
        self.process = process
        self.caps = caps
        self.cap = ""
        self.interrupted = False
        self._control: int | None = control
        self._stop = stop
        self._group = group
        self._next_look = 0.0
        self._end = time.monotonic() + caps.seconds
        self._kill_at: float | None = None

    def send(self, plan: Mapping[str, Any]) -> None:
        packed = marshal.dumps(dict(plan))
        data = len(packed).to_bytes(8, "little") + packed
        try:
            while data:
                data = data[os.write(self._control or 0, data) :]
        except BrokenPipeError:
            self.close()

    def close(self, cap: str = "") -> None:
        """Ends the tree; the first reason counts."""
        if self._control is not None:
            os.close(self._control)
            self._control = None
            self._kill_at = time.monotonic() + GRACE_SECONDS
            self.cap = cap

    def look(self) -> None:
        """Ends it where it is time to."""
        if self._stop is not None and self._stop.is_set() and not self.interrupted:
            self.interrupted = True
            self.close()
        now = time.monotonic()
        if now > self._end:
            self.close(f"time ({self.caps.seconds:g} s)")
        if now > self._next_look:
            self._next_look = now + LOOK_SECONDS
            passed = self.passed()
            if passed:
                self.close(passed)
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self.kill()

    def passed(self) -> str:
        """The cap that the kernel itself held the command to, or nothing."""
        return self._group.passed() if self._group else ""

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def wait_seconds(self) -> float:
        return max(0.0, min(0.25, self._end - time.monotonic()))

    def end(self) -> None:
        self.close()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()


def _listen(life: _Life, output: int, status: int, on_output: Callable[[bytes], None] | None) -> tuple[bytes, bytes]:
    """Reads until the supervisor is done: the end of the output, and what it says of the command."""
    os.set_blocking(output, False)
    kept, said, total = bytearray(), bytearray(), 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(status, selectors.EVENT_READ)
        ended = False
        while not ended:
            life.look()
            for key, _ in selector.select(life.wait_seconds()):
                data = os.read(key.fd, 1 << 16)
                if key.fd == status:
                    said += data
                    ended = not data
                elif not data:
                    selector.unregister(output)
                else:
                    total += len(data)
                    _keep(kept, data, on_output)
            if total > life.caps.output_bytes:
                life.close(f"output ({life.caps.output_bytes} bytes)")
            if life.process.poll() is not None and not selector.select(0):
                ended = True
    total += _drain(output, kept, on_output, life.caps.output_bytes)
    if total > life.caps.output_bytes:
        life.cap = life.cap or f"output ({life.caps.output_bytes} bytes)"
    return bytes(kept), bytes(said)


def _drain(output: int, kept: bytearray, on_output: Callable[[bytes], None] | None, most: int) -> int:
    """What is in the pipe already; whoever still holds its other end is not waited for."""
    total = 0
    while total <= most:
        try:
            data = os.read(output, 1 << 16)
        except BlockingIOError:
            break
        if not data:
            break
        total += len(data)
        _keep(kept, data, on_output)
    return total


def _keep(kept: bytearray, data: bytes, on_output: Callable[[bytes], None] | None) -> None:
    kept += data
    if len(kept) > 2 * KEPT_BYTES:
        del kept[:-KEPT_BYTES]
    if on_output is not None:
        on_output(data)


def _execution(cap: str, kept: bytes, said: bytes, seconds: float) -> Execution:
    kept = kept[-KEPT_BYTES:]
    if cap:
        return Execution(None, seconds, kept, cap=cap)
    done = dict(line.partition(" ")[::2] for line in said.decode().splitlines())
    if "seconds" not in done:
        last = kept.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        return Execution(None, seconds, kept, fault=f"the sandbox did not start: {last[0][:300]}")
    if done["cap"]:
        return Execution(None, float(done["seconds"]), kept, cap=done["cap"])
    code, number = (int(done[key]) if key in done else None for key in ("exit", "signal"))
    return Execution(code, float(done["seconds"]), kept, number)
