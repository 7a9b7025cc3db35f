"""What is said of a command without running it."""

from __future__ import annotations

import subprocess

import pytest

from split_ci.shell import always_passes, command_fault

ALWAYS = [
    "true", ":", "/bin/true", "exit 0", "exit", "echo ok", "printf 'x'", " true ", "true; true", "true\ntrue", "make || true", "make; exit 0",
    "make; true", "make | true", "make & ", "make || echo no", "make || :", "true && true", "exit 0; make", "# only words", "true # words", "'true'",
    "make\n\n# done\ntrue\n", "echo ok >/dev/null", "echo ok 2>&1", "echo $(make)", "true || make", "make > log || true", "false; echo", "\\true",
    "tr'u'e", "sleep 1", "true && make || true",
]  # fmt: skip
NOT = [
    "make", "false", "true && make", "make && true", "echo ok && make", "exit 1", "test -e a", "! true", "echo ok > /a/b", "set -e; make; true",
    "set -eu\nmake\ntrue", "set -o pipefail; make | true", "exit $x", "true | make", "truely", "(true)", "{ true; }", "if true; then make; fi",
    "grep -q true a", "make; exit $?", "python -c 'exit(0)'", "[ -e a ]", "x=$(make)", "cd a",
]  # fmt: skip


@pytest.mark.parametrize("command", ALWAYS)
def test_a_command_that_only_passes(command: str) -> None:
    assert always_passes(command)


@pytest.mark.parametrize("command", NOT)
def test_a_command_that_may_fail(command: str) -> None:
    assert not always_passes(command)


FAULTS = {
    "echo 'a": "a single quote is never closed", 'echo "a': "a double quote is never closed", "echo `a": "a backquote is never closed",
    "echo $(a": "a parenthesis is never closed", "echo ${a": "a brace is never closed", "(a": "a parenthesis is never closed",
    "echo \"$(a 'b)\"": "a single quote is never closed", "a &&": "it ends with `&&`", "a |\n": "it ends with `|`", "|| a": "it starts with `||`",
    "a && || b": "there is nothing between `&&` and `||`", "a\0b": "it holds a NUL", "a; ; b": "there is nothing between `;` and `;`",
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
]  # fmt: skip


@pytest.mark.parametrize("command", READABLE)
def test_what_a_shell_can_read(command: str) -> None:
    assert command_fault(command) is None
    assert subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0
