"""A process that must come to its end whatever becomes of us: in a session of its own, and with no pipe that could break."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run_apart(
    argv: Sequence[str], *, cwd: str, data: bytes, env: Mapping[str, str], held: int, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`, which would kill it at an interrupt. It inherits `held`.

    What it says goes to files: a pipe that nobody reads any more would end it at its next word.
    """
    with _file() as given, _file() as out, _file() as said:
        given.write(data)
        given.seek(0)
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=given, stdout=out, stderr=said, start_new_session=True, pass_fds=(held,)
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # git removes its locks
            process.wait()
            raise
        except BaseException:
            process.wait()
            raise
        out.seek(0)
        said.seek(0)
        return subprocess.CompletedProcess(argv, process.returncode, out.read(), said.read())


def _file() -> IO[bytes]:
    """A file without a name; in memory where the system has such, so that a full disk is no obstacle."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("split-ci"), "w+b", buffering=0)
    return tempfile.TemporaryFile()
