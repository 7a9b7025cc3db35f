"""Workflows that run with the repository's secrets on what others write: on every branch, since old ones count as well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from split_ci.git import Objects, Repo

FOLDER = ".github/workflows"
TRIGGERS = ("pull_request_target", "workflow_run", "issue_comment")
MAX_BYTES = 1 << 20
_COMMENT = re.compile(r"(?:^|\s)#.*")
_WORD = re.compile(rf"\b({'|'.join(TRIGGERS)})\b")


class Risky(NamedTuple):
    """One file, as it is on some branches."""

    path: str
    trigger: str
    branches: tuple[str, ...]


def risky_workflows(repo: Repo) -> tuple[Risky, ...]:
    """Every workflow with such a trigger, on the branches of this clone and of its remotes, each file and trigger once."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    known: dict[str, tuple[tuple[str, str], ...]] = {}
    with repo.objects() as objects:
        for ref in repo.refs("refs/heads/", "refs/remotes/"):
            folder = objects.read(f"{ref}:{FOLDER}") if not ref.endswith("/HEAD") else None
            if folder is None or folder[1] != "tree":
                continue
            if folder[0] not in known:
                known[folder[0]] = tuple(_in_folder(objects, folder[0]))
            name = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
            for each in known[folder[0]]:
                found.setdefault(each, {})[name] = None
    return tuple(Risky(path, trigger, tuple(branches)) for (path, trigger), branches in found.items())


def _in_folder(objects: Objects, tree: str) -> Iterator[tuple[str, str]]:
    for mode, name, oid in objects.folder(tree).values():
        path = name.decode("utf-8", "surrogateescape")
        if path.endswith((".yml", ".yaml")) and mode.startswith(b"100"):
            for trigger in triggers(objects.blob(oid.hex())):
                yield f"{FOLDER}/{path}", trigger


def triggers(data: bytes) -> tuple[str, ...]:
    """The risky triggers that a workflow names, comments apart. Read as words, so that no way to write YAML hides one."""
    lines = data[:MAX_BYTES].decode("utf-8", "replace").splitlines()
    words = {word for line in lines for word in _WORD.findall(_COMMENT.sub("", line)) if _is_key(line, word)}
    return tuple(trigger for trigger in TRIGGERS if trigger in words)


def _is_key(line: str, word: str) -> bool:
    """Whether the word can be a trigger there, and is not only compared with: `if: github.event_name != 'issue_comment'`."""
    return not re.search(rf"(?:==|!=|contains\(|\$\{{\{{|\bif:|\brun:)[^#]*\b{word}\b", line)
