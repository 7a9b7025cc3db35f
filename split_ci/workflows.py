"""The workflows of GitHub Actions and the action that they share, rendered for one repository from `templates/github/`."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORKFLOWS = ("split-ci-dispatch.yml", "split-ci-spec.yml", "split-ci-check.yml")
ACTION = ".github/actions/split-ci/action.yml"
REQUIREMENTS = ".github/split-ci/requirements.txt"
SOURCE = ".github/split-ci/source.txt"
MARK = "# Written by split-ci init; sha256 of what follows: "
PINS = {
    "CHECKOUT": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "UPLOAD": "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "DOWNLOAD": "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "APP_TOKEN": "actions/create-github-app-token@1b10c78c7865c340bc4f6099eb2f838309f1e8c3 # v3.1.1",
}
ENVIRONMENT = """\
    environment:
      name: {name}
      deployment: false
"""
MOST_MINUTES = 350  # GitHub ends a job after 360
AROUND = 20  # minutes of a job for what is not its one long step
SPECIAL = re.compile(r"[*?+\[\]!\\]")


class Setting(NamedTuple):
    """What the workflows of one repository depend on. Keys are names of environment variables and of secrets."""

    branch: str
    specs: str = "specs"
    implementer_keys: Sequence[str] = ()
    architect_keys: Sequence[str] = ()
    minutes: float = 10.0  # of one round, as `limits` has them
    rounds: int = 3


def render(setting: Setting) -> dict[str, str]:
    """Every file but `source.txt`, by its path in the repository."""
    found = {f".github/workflows/{name}": _filled(_template(name), setting) for name in WORKFLOWS}
    found[ACTION] = _filled(_template("action.yml"), setting)
    found[REQUIREMENTS] = _template("requirements.txt")
    return {path: marked(text) for path, text in found.items()}


def marked(text: str) -> str:
    """A text below a line by which `ours` knows it again."""
    return f"{MARK}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def ours(text: str) -> bool:
    """Whether `init` wrote this and nobody has changed it since."""
    first, _, rest = text.partition("\n")
    return first + "\n" + rest == marked(rest) if first.startswith(MARK) else False


def _template(name: str) -> str:
    path = os.path.join(os.path.dirname(__file__), "templates", "github", name)
    with open(path, encoding="utf-8") as file:
        return file.read()


def _filled(text: str, setting: Setting) -> str:
    long = min(math.ceil(setting.minutes * setting.rounds) + 2 * AROUND, MOST_MINUTES)
    values = {
        **PINS,
        "BRANCH": _pattern(setting.branch),
        "SPECS": _pattern(setting.specs),
        "IMPLEMENT_MINUTES": str(long),
        "IMPLEMENT_STEP_MINUTES": str(long - AROUND),
        "VERIFY_MINUTES": str(min(math.ceil(setting.minutes) + 2 * AROUND, MOST_MINUTES)),
    }
    lines: Mapping[str, str] = {
        "IMPLEMENT_ENVIRONMENT": _environment("split-ci-implementer", setting.implementer_keys),
        "REVIEW_ENVIRONMENT": _environment("split-ci-architect", setting.architect_keys),
        "IMPLEMENT_KEYS": _keys(setting.implementer_keys),
        "REVIEW_KEYS": _keys(setting.architect_keys),
    }
    text = re.sub(r"^@([A-Z_]+)@\n", lambda found: lines[found[1]], text, flags=re.MULTILINE)
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)


def _pattern(name: str) -> str:
    """A name as GitHub's filters match just it, inside of double quotes."""
    return json.dumps(SPECIAL.sub(lambda found: "\\" + found[0], name))[1:-1]


def _environment(name: str, keys: Sequence[str]) -> str:
    return ENVIRONMENT.format(name=name) if keys else ""


def _keys(keys: Sequence[str]) -> str:
    return "".join(f"          {key}: ${{{{ secrets.{key} }}}}\n" for key in keys)
