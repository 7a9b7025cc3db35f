"""Which commands a shell can read, told without running them."""

from __future__ import annotations

import subprocess

import pytest

from split_ci.shell import command_fault

FAULTS = {
    "echo 'a": "a single quote is never closed", 'echo "a': "a double quote is never closed", "echo `a": "a backquote is never closed",
    "echo $(a": "a parenthesis is never closed", "echo ${a": "a brace is never closed", "(a": "a parenthesis is never closed",
    "echo \"$(a 'b)\"": "a single quote is never closed", "a &&": "it ends with `&&`", "a |\n": "it ends with `|`", "|| a": "it starts with `||`",
    "a && || b": "there is nothing between `&&` and `||`", "a\0b": "it holds a NUL", "a; ; b": "there is nothing between `;` and `;`",
    "(a))(": "a parenthesis is never closed",
}  # fmt: skip


@pytest.mark.parametrize(("command", "fault"), FAULTS.items(), ids=[ascii(c) for c in FAULTS])
def test_what_no_shell_can_read(command: str, fault: str) -> None:
    assert command_fault(command) == fault
    if "\0" not in command:
        assert subprocess.run(["sh", "-n", "-c", command], capture_output=True, check=False).returncode


READABLE = [
    "", "a 'b' \"c\" d", "echo \"it's\"", "echo it\\'s", "a # don't", "echo a#'b'", "echo \"$(a \"b\" 'c')\"", "echo `a 'b'`", "a &\nb", "a && \n b",
    "case $x in a) b;; *) c;; esac", "x=$(case a in a) b;; esac)", "cat <<'X'\nit's\nX\n", "echo ${a#'}'}", "echo ${a:-it}", "for i in a b; do c; done",
    "if a; then b; fi && c", "a 2>&1 | b", "f() { a; }; f", "echo $((1 + (2)))", '[ a = "b" ] || exit 3', "! a", "a; b;", "a & b", 'echo "a\\"b"',
    "python - \"$x\" 'a\"b' && c", 'test "$(wc -l < a)" -eq 3', "echo \\\n a", "(cd a && b) | c", "{ a; b; }", "a |& b", "a\n\n\nb",
    "echo '||'", "'&&' a", "echo ';' ';'", "(a; (b)); c",
]  # fmt: skip


@pytest.mark.parametrize("command", READABLE)
def test_what_a_shell_can_read(command: str) -> None:
    assert command_fault(command) is None
    assert subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0


def test_what_nests_beyond_reason_is_said_and_not_followed() -> None:
    assert command_fault("echo " + "$(" * 20_000) == "it nests more than 100 levels"
