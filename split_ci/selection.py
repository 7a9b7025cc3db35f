"""Which specs a run is about: those that are ready on the base, or the ones that were named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import UsageError
from split_ci.left import DRIFT
from split_ci.path_rules import Place
from split_ci.rules import judge
from split_ci.spec import id_fault, parse_spec
from split_ci.steps.check import check
from split_ci.stream import blob_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.git import Repo
    from split_ci.ports import Tree
    from split_ci.problems import Problem
    from split_ci.settings import Config
    from split_ci.spec import Spec

UNREADABLE = ("SP101", "SP102", "SP103", "SP104", "SP105")  # nobody can say whether such a file is ready


class Selection(NamedTuple):
    """`specs` in their order; `faults`: id -> the problem that refuses it; `unreadable`: id -> why it is no spec at all."""

    specs: tuple[Spec, ...]
    faults: dict[str, Problem]
    unreadable: dict[str, Problem]


def select(repo: Repo, config: Config, names: Sequence[str], base: str, cwd: str = ".") -> Selection:
    """The ready specs of a commit, or the named ones: by id or by file, drafts and uncommitted files too.

    Raises UsageError for a name that is neither.
    """
    if names:
        return _named(repo, config, names, base, cwd)
    found = Selection((), {}, {})
    for one in check(repo, at=base):
        errors = [p for p in one.problems if p.severity == "error"]
        broken = next((p for p in errors if p.code in UNREADABLE), None)
        if one.spec is None or broken:
            found.unreadable[one.id] = broken or errors[0]
        elif one.spec.status == "ready":
            found = found._replace(specs=(*found.specs, one.spec))
            found.faults.update(_fault(one.id, errors))
    return found


def _fault(id_: str, errors: Iterable[Problem]) -> dict[str, Problem]:
    first = next((p for p in errors if p.code not in DRIFT), None)
    return {id_: first} if first else {}


def _named(repo: Repo, config: Config, names: Sequence[str], base: str, cwd: str) -> Selection:
    found = Selection((), {}, {})
    with repo.objects() as objects:
        tree = repo.tree(base, objects)
        for name in dict.fromkeys(names):
            data, path = _read(repo, config, tree, name, cwd)
            parsed = parse_spec(data, path)
            errors = [p for p in parsed.problems if p.severity == "error"]
            id_ = os.path.basename(path).removesuffix(".md")
            broken = next((p for p in errors if p.code in UNREADABLE), None)
            if parsed.spec is None or broken:
                found.unreadable[id_] = broken or errors[0]
                continue
            judged = judge(parsed.spec, Place(tree, specs=config.specs, protected=config.protected))
            found.faults.update(_fault(id_, [*errors, *(p for p in judged.problems if p.severity == "error")]))
            found = found._replace(specs=(*found.specs, parsed.spec))
    return found


def _read(repo: Repo, config: Config, tree: Tree, name: str, cwd: str) -> tuple[bytes, str]:
    """A named spec's bytes and the path it has in the repository: the file where there is one, else what the base holds."""
    stem = os.path.basename(name).removesuffix(".md")
    fault = id_fault(stem)
    if fault:
        raise UsageError(f"{name!r} names no spec: {fault}", hint="split-ci plan")
    path = f"{config.specs}/{stem}.md"
    by_id = os.path.join(repo.root, path)
    file = os.path.join(cwd, name) if "/" in name or name.endswith(".md") else by_id
    if os.path.isfile(file):
        with open(file, "rb") as opened:
            return _as_committed(repo, path, opened.read()), path
    committed = tree.read(path) or tree.read(f"{config.specs}/landed/{stem}.md")
    if committed is None:
        raise UsageError(f"there is no spec {name!r}, neither as a file nor at the base", hint="split-ci plan")
    return committed.data, path


def _as_committed(repo: Repo, path: str, data: bytes) -> bytes:
    """A file's text with the line ends that git would commit: a work tree may have others, and it is the same spec."""
    plain = data.replace(b"\r\n", b"\n")
    filtered = repo.git("check-attr", "-z", "filter", "--", path).split(b"\0")[2:3] if plain != data else []
    if filtered not in ([b"unspecified"], [b"unset"]):  # no command of anybody's is run for it
        return data
    committed = repo.git("hash-object", "--stdin", "--path", path, input=data).decode().strip()
    return plain if committed == blob_oid(plain, repo.object_format) else data
