"""Admit: whether a run may begin, and from where. It is asked first, reads git and the forge, and changes nothing.

What is wrong with the question is refused. What the world has made pointless since it was asked (the spec was edited, it has
landed, its result is there) is no fault: then there is nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches, ledger
from split_ci.coaching import default_branch, is_coached, trunk_of
from split_ci.errors import Refused
from split_ci.left import DRIFT
from split_ci.notes import review_of
from split_ci.path_rules import Place
from split_ci.rules import judge
from split_ci.spec import parse_spec
from split_ci.turn import Standing, Turn, closed, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from split_ci.git import Objects, Repo
    from split_ci.ports import Pull, Tree
    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.turn import Box


class Asked(NamedTuple):
    """What a run is asked to do: a spec by its id. `base` and `digest` "" are what the default branch has."""

    id: str
    base: str = ""
    digest: str = ""
    by_hand: Box | None = None


class Admitted(NamedTuple):
    """The answer. `digest` is the spec's at the base."""

    id: str
    digest: str
    turn: Turn


def admit(
    repo: Repo, config: Config, asked: Asked, pull: Pull | None = None, shown: Callable[[str], bool] = lambda _: True
) -> Admitted:
    """Whether a run may begin. Raises Refused, naming the rule.

    `pull` is the newest pull request of the spec's branch; `shown` says of a head whether people see its review.
    """
    trunk = trunk_of(repo)
    base = _base(repo, asked, trunk)
    path = f"{config.specs}/{asked.id}.md"
    with repo.objects() as objects:
        there, now = repo.tree(base, objects), repo.tree(trunk, objects)
        spec = _spec(config, asked, there, path, base)
        if isinstance(spec, str):
            return Admitted(asked.id, asked.digest, Turn(False, spec))
        stop = _superseded(spec, now, path, trunk) or _waits(spec, there, config)
        if not stop and pull is not None and not pull.withdrawn:
            stop = closed(repo, spec, pull) or ""
        if stop:
            return Admitted(spec.id, spec.digest, Turn(False, stop))
        standing = standing_of(repo, objects, spec)
    if standing.branch is not None and standing.verdict is not None and pull is not None and pull.state == "open":
        standing = standing._replace(shown=shown(standing.branch.head))
    return Admitted(spec.id, spec.digest, turn(repo, config, spec, base, standing, asked.by_hand))


def _base(repo: Repo, asked: Asked, trunk: str) -> str:
    if not asked.base:
        return trunk
    base = repo.commit_or_none(asked.base)
    if base is None:
        raise Refused(f"{asked.base[:80]}: rule base: no commit that this repository holds", hint="git fetch origin")
    if repo.ask("merge-base", "--is-ancestor", base, trunk) is None:
        branch = default_branch(repo).removeprefix("refs/heads/")
        raise Refused(
            f"{base[:12]}: rule base: it is not on {branch}: a spec is dispatched once it is merged", hint="split-ci plan"
        )
    return base


def _spec(config: Config, asked: Asked, there: Tree, path: str, base: str) -> Spec | str:
    """The spec at the base, sound and ready; or why nothing is to be done with it. Raises Refused."""
    file = there.read(path)
    if file is None:
        if there.entry(f"{config.specs}/landed/{asked.id}.md") is not None:
            return "it has landed"
        raise Refused(f"{path}: rule spec: {base[:12]} holds no such spec", hint="split-ci plan")
    parsed = parse_spec(file.data, path)
    problems = list(parsed.problems)
    if parsed.spec is not None:
        place = Place(there, specs=config.specs, protected=config.protected)
        problems = list(judge(parsed.spec, place, parsed.problems).problems)
    fault = next((p for p in problems if p.severity == "error" and p.code not in DRIFT), None)
    if parsed.spec is None or fault:
        first = fault or problems[0]
        raise Refused(f"{path}:{first.line}: {first.code}: {first.message}", hint=f"split-ci explain {first.code}")
    if asked.digest and parsed.spec.digest != asked.digest:
        raise Refused(f"{path}: rule digest: it is {parsed.spec.digest[:12]} at {base[:12]}, not {asked.digest[:12]}")
    if parsed.spec.status != "ready":
        raise Refused(f"{path}: rule status: it is a draft", hint="status: ready")
    return parsed.spec


def _superseded(spec: Spec, now: Tree, path: str, trunk: str) -> str:
    """Why a generation is no longer the one that counts; nothing where it is."""
    file = now.read(path)
    if file is None:
        return f"it is gone from the default branch ({trunk[:12]}): it has landed, or was deleted"
    if file.data != spec.data:
        return f"the default branch ({trunk[:12]}) has another text of it: this generation is superseded"
    return ""


def _waits(spec: Spec, there: Tree, config: Config) -> str:
    missing = [need for need in spec.needs if there.entry(f"{config.specs}/landed/{need}.md") is None]
    return f"it waits for {', '.join(missing)}, which must land first" if missing else ""


def standing_of(repo: Repo, objects: Objects, spec: Spec) -> Standing:
    """What there is of a spec by now."""
    found = branches.read(repo, objects, {spec.id})
    branch = found.by_id.get(spec.id)
    entries: Sequence[ledger.Entry] = [
        e for e in ledger.read_all(repo) if (e.id, e.digest, e.role) == (spec.id, spec.digest, "implementer")
    ]
    verdict = review_of(repo, branch.head) if branch else None
    coached = verdict is None or is_coached(repo, verdict)
    return Standing(branch, verdict, entries, coached=coached, obstacle=found.obstacle(spec.id) or "")
