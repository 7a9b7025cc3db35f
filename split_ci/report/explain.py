"""The codes of problems, and the section of each in `problems.md`."""

from __future__ import annotations

import os

from split_ci.problems import CODES
from split_ci.report.terminal import paint, say, say_json

KINDS = {
    "SP1": "the file", "SP2": "paths", "SP3": "exact edits", "SP4": "taste and likelihood (these can be waived)",
    "SP5": "criteria", "SP6": "specs among each other", "SP7": "lessons", "SP8": "the configuration",
}  # fmt: skip


def section(code: str) -> str:
    """The Markdown below a code's heading, without the heading. Raises KeyError for a code without a section."""
    return sections()[code]


def sections() -> dict[str, str]:
    """Code -> its section of `problems.md`."""
    path = os.path.join(os.path.dirname(os.path.dirname(__file__)), "problems.md")
    with open(path, encoding="utf-8") as file:
        parts = file.read().split("\n## SP")[1:]
    return {f"SP{part[:3]}": part.partition("\n")[2].strip() for part in parts}


def show_all(form: str) -> None:
    """Every code with its title, by kind."""
    if form == "json":
        say_json({"codes": [{"code": code, **row._asdict()} for code, row in CODES.items()]})
        return
    kind = ""
    for code, row in CODES.items():
        if code[:3] != kind:
            say(("\n" if kind else "") + paint(KINDS[code[:3]], "bold"))
            kind = code[:3]
        notes = [row.severity] * (row.severity == "warning") + ["waivable"] * row.waivable
        say(f"  {code}  {row.title}" + (f" ({', '.join(notes)})" if notes else ""))
    say("\nsplit-ci explain CODE says more of one")


def show_one(code: str, form: str) -> None:
    """One code: its title, and its section as it is written."""
    row = CODES[code]
    if form == "json":
        say_json({"code": code, **row._asdict(), "text": section(code)})
        return
    say(paint(f"{code} {row.title}", "bold"))
    say(f"{row.severity}{', can be waived in the front matter: waive: [' + code + ']' if row.waivable else ''}\n")
    say(section(code))
