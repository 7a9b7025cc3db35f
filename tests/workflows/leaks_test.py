"""The search for secrets finds each form of one, and nothing where there is none."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from urllib.parse import quote

import pytest

from tests.workflows.leaks import command_lines, leaks

SECRET = "canary/0123456789+abcdef=ghij"
SHOWN = {
    "as it is": SECRET,
    "a piece": SECRET[7:19],
    "base64": b64encode(SECRET.encode()).decode(),
    "base64 behind a name": b64encode(f"x-access-token:{SECRET}".encode()).decode(),
    "base64 within something": b64encode(f"ab{SECRET}cde".encode()).decode(),
    "hex": SECRET.encode().hex(),
    "url": quote(SECRET, safe=""),
    "turned round": SECRET[::-1],
}


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_each_form_is_found(text: str) -> None:
    assert leaks({"KEY": SECRET}, [("a log", f"before {text} after".encode())]) == ["KEY in a log"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert leaks({"KEY": SECRET}, [("a log", SECRET[:11].encode()), ("another", b"")]) == []


def test_command_lines_are_seen() -> None:
    with command_lines() as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)", SECRET], check=True)
    assert leaks({"KEY": SECRET}, [("a command line", line) for line in seen]) == ["KEY in a command line"]
