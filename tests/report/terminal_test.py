"""What a person sees on a terminal of eighty columns: real processes on a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, make_repo, spec

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a-name-that-takes-much-room-in-a-row"
STALE = spec("### Edit `a.txt`\nBefore:\n```\nwhat nobody ever wrote here\n```\nAfter:\n```\nx\n```\n")
NEW = spec("### Create `new.txt`\n```\nn\n```\n", accept="  - run: test -f new.txt")


def seen(cwd: Path, *args: str, env: dict[str, str] | None = None) -> str:
    """All that a command shows on a terminal, as it was sent."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 80))
    whole = clean_env({**PERSON, "GITHUB_REPOSITORY": "", "PYTHONPATH": SOURCE, "TERM": "xterm", **(env or {})})
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        if name not in (env or {}):
            whole.pop(name, None)
    command = [sys.executable, "-P", "-m", "split_ci", *args]
    with subprocess.Popen(command, cwd=cwd, env=whole, stdin=slave, stdout=slave, stderr=slave):
        os.close(slave)
        data = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(master, 65_536):
                data += piece
    os.close(master)
    return data.decode().replace("\r\n", "\n")


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()


def test_a_reason_that_has_no_room_in_the_table_stands_below_it(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "a\n" * 40, f"specs/{LONG}.md": STALE})
    lines = plain(seen(root, "status"))
    assert lines[0].split() == ["spec", "state", "criteria", "rounds", "cost"]
    assert lines[1].split()[:2] == [LONG, "invalid"]
    assert " ".join(lines[2:]).startswith(f"{LONG}: the text of `Before` is not in `a.txt`")
    assert all(len(line) <= 80 for line in lines)


def test_a_reason_that_has_room_stands_in_its_row(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "a\n", "specs/s.md": STALE})
    lines = plain(seen(root, "status"))
    assert lines[0].split()[-3:] == ["for,", "or", "why"]
    assert "the text of" in lines[1]


@pytest.mark.parametrize(("env", "said"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colours", "none"])
def test_proving_shows_that_it_is_at_work(env: dict[str, str], said: bool, tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "a\n", "specs/s.md": NEW})
    text = seen(root, "check", "--prove", env=env)
    assert ("criteria of 1 spec on " in text) is said
    assert "a1 red on the base" in text
    assert "1 spec, no errors" in plain(text)[-1]
