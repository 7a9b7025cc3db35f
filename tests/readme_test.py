"""README.md says what is there: every command, specs that parse, links that lead somewhere, figures that name their command."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from split_ci.config import parse_config
from split_ci.main import EVERY_DAY, FOR_WORKFLOWS, GROUPS, LOOKING
from split_ci.spec import parse_spec

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SCHEMA = json.loads((ROOT / "split_ci/schemas/config.schema.json").read_text())
PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^(`{3,})(\w*)[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"(?<![\w.`])\d[\d,.]*\s?(?:ms|s|seconds|minutes|times|MB|%|\$|usd)(?!\w)")
COMMANDS = EVERY_DAY + LOOKING + FOR_WORKFLOWS
THERE = [name for name in COMMANDS if find_spec(f"split_ci.commands.{name}")]


def blocks(kind: str, text: str = README) -> list[str]:
    return [body for _, info, body in FENCE.findall(text) if info == kind]


def code() -> str:
    """What is to be typed: shell blocks, and words set in code."""
    return "\n".join([*blocks("sh"), *re.findall(r"`[^`\n]+`", prose(README))])


def prose(text: str) -> str:
    return FENCE.sub("", text)


@pytest.mark.parametrize("name", THERE)
def test_every_command_has_its_line(name: str) -> None:
    assert re.search(rf"^\| `split-ci {name}\b", README, re.MULTILINE)


def test_no_command_is_promised_that_is_not_there() -> None:
    named = set(re.findall(r"\bsplit-ci ([a-z]+)\b", code()))
    assert named <= set(THERE)


def test_the_groups_hold_each_command_once() -> None:
    assert [name for names in GROUPS.values() for name in names] == COMMANDS
    assert len(set(COMMANDS)) == len(COMMANDS)


def test_its_spec_is_one() -> None:
    specs = blocks("markdown")
    assert specs
    for text in specs:
        parsed = parse_spec(text.encode(), "specs/example.md")
        assert parsed.spec is not None
        assert [problem for problem in parsed.problems if problem.severity == "error"] == []


def test_its_configuration_is_one() -> None:
    configurations = [text for text in blocks("yaml") if "implementers:" in text]
    assert configurations
    for text in configurations:
        parse_config(text.encode(), {})


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose((ROOT / page).read_text())):
        assert target.startswith("https://") or (ROOT / page.parent / target).exists(), target


def test_every_figure_names_the_command_that_prints_it() -> None:
    for paragraph in re.split(r"\n\s*\n|\n(?=\|)", prose(README)):
        if FIGURE.search(re.sub(r"`[^`]+`", "", paragraph)):
            assert re.search(r"`(?:make|split-ci|python) [^`]+`", paragraph), paragraph


def test_the_two_commands_are_there() -> None:
    assert {"make demo", "make test"} <= {
        line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", code())) <= targets


def keys_of(schema: dict[str, Any], start: str = "") -> dict[str, str]:
    """Each key of the configuration, and its default as the page writes it."""
    found: dict[str, str] = {}
    for name, value in schema["properties"].items():
        if value.get("type") == "object" and "properties" in value and not value.get("additionalProperties"):
            found |= keys_of(value, f"{name}.")
        else:
            default = next((one["default"] for one in [value, *value.get("allOf", [])] if "default" in one), None)
            found[start + name] = ("[exact]" if default == ["exact"] else str(default)) if default is not None else ""
    return found


def test_the_page_of_the_configuration_has_every_key_and_its_default() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    rows = {key: default.strip("`") for key, default in re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", page, re.MULTILINE)}
    for key, default in keys_of(SCHEMA).items():
        assert key in rows
        assert default in ("", rows[key])
    for part in ("model", "agent"):
        assert {f"`{key}`" for key in SCHEMA["definitions"][part]["properties"]} <= set(re.findall(r"`[a-z_]+`", page))
