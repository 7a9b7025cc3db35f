"""Commands that can only pass, told without running them; and a shell's word for it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from split_ci.vacuous import always_passes

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = [
    "true", ":", "/bin/true", "exit 0", "exit", "echo ok", "printf 'x'", " true ", "true; true", "true\ntrue", "make || true",
    "make; exit 0", "make; true", "make | true", "make & ", "make || echo no", "make || :", "true && true", "exit 0; make",
    "# only words", "true # words", "'true'", "make\n\n# done\ntrue\n", "echo ok >/dev/null", "echo ok 2>&1", "echo $(make)",
    "true || make", "make > log || true", "false; echo", "\\true", "tr'u'e", "sleep 1", "true && make || true",
    "(true)", "{ true; }", "((true))", "(make; true)", "(make || :)", "{ make; }; :", "(exit)", "(exit 0); true", "((1))", "( ( : ) )",
    "[ 1 ]", "test 1", "[ x = x ]", "[ 1 -eq 1 ]", "test -n x", "[ -z '' ]", "[ ! 0 = 1 ]", "! [ 1 = 2 ]", "[ -d . ]", "test -e /",
    "[ 2 -gt 1 ] && true", "[ a != b ]", "test 1 -a 1", "cd .", "cd", "cd ..", "cd / && cd ./", "cd . && :", ": ; :", "true || false",
    "false || true", "! false", "exit 256", "exit 00", "! (false)", "false && make || :", "make && false || :",
    "if true; then :; fi", "if make; then :; else true; fi", "if make; then true; elif make; then :; fi", "if false; then make; fi",
    "for x in a b; do :; done", "for x in *; do make || :; done", "while false; do make; done", "until :; do make; done",
    "x=1", "x=1 true", "x=$y", "export A=b", "set -e; true", "set -eu; cd .", "set -e; make || true",
    "sh -c true", "bash -c 'make; :'", "sh -c '(exit 0)'", "sh -ec 'true'", "eval true", "eval 'exit 0'", "exec true", "exec 2>&1",
    "env true", "env A=b true", "command true", "nice true", "timeout 5 true", "command [ 1 ]", "/usr/bin/env true",
    "date", "ls", "ls .", "ls >/dev/null 2>&1", "pwd", "printf '%s' x", ":>/dev/null", "> /dev/null", "true &", "(make) &",
    "make | (exit 0)", "make | cat | :", "{ :; } | { :; }", "echo '||'", "if :; then exit 0; fi; make", "true && exit; make",
    "env", "exit; make || false", "true \\\n && true", "make \\\n || true", "{ exit; }", "unset x", "wait", "[[ 1 ]]",
]  # fmt: skip
NOT = [
    "make", "false", "true && make", "make && true", "echo ok && make", "exit 1", "test -e a", "! true", "echo ok > /a/b",
    "set -e; make; true", "set -eu\nmake\ntrue", "set -o pipefail; make | true", "exit $x", "true | make", "truely",
    "if true; then make; fi", "grep -q true a", "make; exit $?", "python -c 'exit(0)'", "[ -e a ]", "x=$(make)", "cd a",
    "(make)", "{ make; }", "(exit 1)", "(false)", "make || (exit 1)", "make || { exit; }", "make || exit", "make; exit", "make || exit 1; true",
    "make || { echo no; exit 1; }; true", "[ 1 = 2 ]", "[ $x ]", '[ -n "$x" ]', "[ a* = a ]", "test -z x", "test", "[ 1", "[ -d src ]",
    "[ 1 -eq 2 ]", "test -f /", "cd -", "cd a && true", "! :", "! (true)", "if make; then false; fi", "if make; then exit 1; fi; true",
    "if false; then :; else make; fi", "for x in a; do make; done", "for x in a; do make || exit 1; done; true",
    "while make; do :; done", "until make; do sleep 1; done", "while true; do break; done", "x=`make`", "x=1 make", "sh -c make",
    "sh -ec 'make; true'", "sh script", 'bash -c "$x"', "eval make", "eval $x", "exec make", "exec ./check.sh; true", "env A=b make",
    "command -v tool", "timeout 5 make", "date -d x", "ls src", "printf '%d' x", "printf", "sleep", ": > /a/b; true",
    ". ./check.sh; true", "source x; true", "trap 'exit 1' EXIT; true", "true() { make; }; true", "case x in x) true;; esac", "a=(1 2)",
    ": ${x:?}; true", 'echo "${x?}"; true', "set -u; echo $x; true", "echo $((1 / x)); true", "make &> /dev/null", "make &>log",
    "set -e; (make); true", "set -e; make | make; true", "set -u -e; make; true", "set -o errexit; make; true", "((0))",
    "make | make || make", "cat <<X\nx\nX", "alias true=false\ntrue", "echo 'a", "((make))", "[[ 1 && $x ]]", "return 1; true",
    "make; { exit; }", "false; exit", "[ 1 ] 2> /a/b", "true; false", "true | false", "(true) > /a/b", "exit 1 || true",
]  # fmt: skip
NEWER = ("((", "[[")  # not every shell knows these


@pytest.mark.parametrize("command", ALWAYS)
def test_a_command_that_only_passes(command: str) -> None:
    assert always_passes(command)


@pytest.mark.parametrize("command", NOT)
def test_a_command_that_may_fail(command: str) -> None:
    assert not always_passes(command)


@pytest.mark.parametrize("status", [0, 1])
def test_a_shell_says_so_too(tmp_path: Path, status: int) -> None:
    """Whatever `make` comes to, each of them passes."""
    (tmp_path / "make").write_text(f"#!/bin/sh\nexit {status}\n")
    (tmp_path / "make").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.defpath}", "HOME": str(tmp_path)}
    known = [command for command in ALWAYS if not command.startswith(NEWER)]
    done = {
        command: subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, check=False
        ).returncode
        for command in known
    }
    assert {command: code for command, code in done.items() if code} == {}


@pytest.mark.parametrize(
    ("opening", "closing"), [("for x in a; do ", "; done"), ("if make; then ", "; fi"), ("(", ")"), ("! (", ")")]
)
@pytest.mark.parametrize("depth", [12, 40, 4000])
def test_what_nests_deeply_is_read_at_once_or_not_at_all(opening: str, closing: str, depth: int) -> None:
    even = opening * depth + "true" + closing * depth
    assert always_passes(even) == (depth < 41)
