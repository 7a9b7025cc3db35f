"""Where the hook is: its entry in `.pre-commit-config.yaml`, added as text so that the rest stays, and git's own folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.git import Repo

PRE_COMMIT = ".pre-commit-config.yaml"
HOOK_ID = "split-ci-check"
EMPTY = re.compile(r"repos:[ \t]*(?:\[[ \t]*\])?[ \t]*(#[^\n]*)?\Z")


def has_entry(text: str) -> bool:
    """Whether any repository there has the hook already. Raises ValueError for what is not a pre-commit configuration."""
    return any(hook.get("id") == HOOK_ID for repo in _repos(_load(text)) for hook in _hooks(repo))


def with_entry(text: str, entry: str) -> str:
    """The text with the entry (`- repo: …` lines) as the last of `repos`, in the text's own indentation and line ends.

    Raises ValueError, with the reason, where that can't be done without changing anything else.
    """
    before = _load(text)
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = text.removesuffix(eol).split(eol)
    start = _line_of_repos(lines)
    end = _end(lines, start)
    dash = _dash(lines[start + 1 : end])
    if dash is None:
        match = EMPTY.match(lines[start])
        if match is None:
            raise ValueError("'repos' is not a list with one entry a line")
        lines[start] = " ".join(filter(None, ("repos:", match[1])))
    added = [(" " * (dash or 0) + line).rstrip() for line in entry.splitlines()]
    after = eol.join([*lines[:end], *added, *lines[end:]]) + eol
    wanted = {**before, "repos": [*_repos(before), *_load("repos:\n" + entry)["repos"]]}
    if _load(after) != wanted:
        raise ValueError("the entry would change something else")
    return after


def hooks_path(repo: Repo) -> str | None:
    """The user's `core.hooksPath`, where there is one (split-ci's own git commands run with none)."""
    said = repo.ask("config", "--show-scope", "--get-all", "core.hooksPath") or ""
    found = [line.partition("\t") for line in said.splitlines()]
    return next((value for scope, _, value in reversed(found) if scope != "command"), None)


def _load(text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - not for those who have no such file

    try:
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict) or not isinstance(found.get("repos"), list | None):
        raise ValueError("it has no list 'repos'")
    return found


def _repos(config: dict[str, Any]) -> list[Any]:
    return list(config.get("repos") or [])


def _hooks(repo: object) -> list[dict[str, Any]]:
    hooks = repo.get("hooks") if isinstance(repo, dict) else None
    return [hook for hook in hooks if isinstance(hook, dict)] if isinstance(hooks, list) else []


def _line_of_repos(lines: Sequence[str]) -> int:
    found = [at for at, line in enumerate(lines) if re.match(r"repos[ \t]*:", line)]
    if len(found) != 1:
        raise ValueError("there is not one line that starts with 'repos:'")
    return found[0]


def _end(lines: Sequence[str], start: int) -> int:
    """The index after the last line of the list; comments and blank lines behind it belong to what follows."""
    end = start + 1
    for at in range(start + 1, len(lines)):
        line = lines[at]
        if re.match(r"[^\s#-]|---|\.\.\.", line):
            break
        if line.strip() and not line.lstrip().startswith("#"):
            end = at + 1
    return end


def _dash(lines: Sequence[str]) -> int | None:
    """How far the list's own dashes are indented; None where there are none."""
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return len(line) - len(line.lstrip()) if line.lstrip().startswith("-") else None
    return None
