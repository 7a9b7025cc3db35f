"""Problems of specs, said as text, as JSON, or as annotations of GitHub."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from split_ci.plain import counted
from split_ci.report.terminal import coloured, command, paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.problems import Problem
    from split_ci.proof import Checked
    from split_ci.results import CriterionResult


def show(
    checked: Sequence[Checked],
    form: str = "text",
    noun: str = "spec",
    proved: Mapping[str, Sequence[CriterionResult]] = MappingProxyType({}),
) -> None:
    """Every problem of every spec, in the form that was asked for: `text`, `json` or `github`. `noun` is what is counted.

    `proved` is what criteria said on the base, by spec; `text` says that too.
    """
    if form == "json":
        say_json({"specs": [as_json(one) for one in checked]})
    elif form == "github":
        for one in checked:
            for problem in one.problems:
                command(annotation(problem))
        say(_summary(checked, noun))
    else:
        for one in checked:
            for problem in one.problems:
                _say_problem(problem)
            for result in proved.get(one.id, ()):
                _say_proof(one, result)
        say(paint(_summary(checked, noun), "green" if all(one.ok for one in checked) else "red"))


def as_json(one: Checked) -> dict[str, Any]:
    """One spec as `check --format json` prints it."""
    return {
        "id": one.id,
        "path": one.path,
        "ok": one.ok,
        "problems": [_problem_json(problem) for problem in one.problems],
        "waived": [_problem_json(problem) for problem in one.waived],
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "fix": problem.fix,
    }


def _say_problem(problem: Problem) -> None:
    where = f"{plain(problem.path)}:{problem.line}:{problem.column}:"
    code, message = problem.code, plain(problem.message)
    if problem.severity == "warning":
        message = f"warning: {message}"
    if coloured_output():
        where, code = paint(where, "bold"), paint(code, "yellow" if problem.severity == "warning" else "red")
    say(f"{where} {code} {message}")
    if problem.fix:
        say(f"    {paint('fix:', 'dim')} {plain(problem.fix)}")


def _say_proof(one: Checked, result: CriterionResult) -> None:
    """One criterion on the base: red is as it must be, and a guard green."""
    guard = f"guard {'red' if result.green is False else 'green'}"
    state = guard if result.red is None else "red" if result.red else "not red"
    took = f" ({result.seconds:.1f} s)" if result.seconds >= 0.05 else ""
    say(f"{plain(one.path)}: {result.id} {state} on the base{took}: {plain(result.run)}")


def coloured_output() -> bool:
    import sys  # noqa: PLC0415

    return coloured(sys.stdout)


def _summary(checked: Sequence[Checked], noun: str) -> str:
    errors = sum(p.severity == "error" for one in checked for p in one.problems)
    warnings = sum(p.severity == "warning" for one in checked for p in one.problems)
    waived = sum(len(one.waived) for one in checked)
    if not checked:
        return "no pending specs"
    parts = [counted(len(checked), noun)]
    parts.append(counted(errors, "error") if errors else "no errors")
    if warnings:
        parts.append(counted(warnings, "warning"))
    if waived:
        parts.append(f"{waived} waived")
    first = next((p.code for one in checked for p in one.problems if p.severity == "error"), None)
    return ", ".join(parts) + (f"\n  next: split-ci explain {first}" if first else "")


def plain(text: str) -> str:
    """Foreign text on one line, with nothing in it that a terminal or a log obeys or hides."""
    if text.isascii() and text.isprintable():
        return text
    from split_ci.plain import visible  # noqa: PLC0415

    return visible(text).replace("\t", "\\t").replace("\n", "\\n")


def annotation(problem: Problem) -> str:
    """A workflow command of GitHub; foreign text stays inside of it."""
    fields = {"file": plain(problem.path), "line": str(problem.line), "col": str(problem.column), "title": problem.code}
    properties = ",".join(f"{key}={escaped(value, ':,')}" for key, value in fields.items())
    text = plain(problem.message) + (f"\nfix: {plain(problem.fix)}" if problem.fix else "")
    return f"::{problem.severity} {properties}::{escaped(text)}"


def escaped(text: str, more: str = "") -> str:
    """Text as a part of a GitHub workflow command; in a property, `more` is `:,`."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
