"""Changesets and results as the steps before the gate would hand them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.changeset import Changed, Changeset, digest_of
from split_ci.config import Config
from split_ci.git import Repo
from split_ci.implementers.exact import attempt_id, derive
from split_ci.results import CriterionResult, Results
from split_ci.spec import parse_spec
from split_ci.steps.gate import gate
from split_ci.steps.publish import Published, publish
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.spec import Spec
    from split_ci.store import Gated


def spec_at(repo: Path, id_: str, rev: str = "HEAD") -> Spec:
    here = Repo.find(str(repo))
    file = here.tree(here.commit(rev)).read(f"specs/{id_}.md")
    assert file
    parsed = parse_spec(file.data, f"specs/{id_}.md")
    assert parsed.spec, parsed.problems
    return parsed.spec


def exact(repo: Path, id_: str, rev: str = "HEAD", base: str | None = None) -> Changeset:
    """What the exact implementer makes of a spec."""
    here = Repo.find(str(repo))
    on, spec = here.commit(base or rev), spec_at(repo, id_, rev)
    changes, applied = derive(spec, here.tree(on))
    return Changeset(
        id_, spec.digest, on, attempt_id(spec.digest, on), "exact", changes, spec.data, spec.path,
        {"exact": applied.edits, "adapted": 0, "model": 0},
    )  # fmt: skip


def with_change(changeset: Changeset, *changes: Changed) -> Changeset:
    kept = [c for c in changeset.changes if c.path not in {new.path for new in changes}]
    return changeset._replace(changes=tuple(sorted([*kept, *changes], key=lambda c: c.path)))


def gated(repo: Path, changeset: Changeset, config: Config | None = None) -> Gated:
    here = Repo.find(str(repo))
    with Quarantine(here) as quarantine:
        return gate(here, quarantine, [changeset], {}, config or Config())[0]


def green(changeset: Changeset, tree: str, *, ok: bool = True) -> Results:
    criterion = CriterionResult(
        "a1", "missing nothing.txt", red=True, green=ok, seconds=0.0, reason="" if ok else "it is there"
    )
    return Results(changeset.id, changeset.digest, changeset.base, tree, digest_of(changeset), (criterion,), {})


def published(repo: Path, changeset: Changeset, *, ok: bool = True, specs: dict[str, Spec] | None = None) -> Published:
    """Gate and publish, as the command does, with results that are green (or not)."""
    here = Repo.find(str(repo))
    with Quarantine(here) as quarantine:
        through = gate(here, quarantine, [changeset], specs or {}, Config())
        built = through[0].built
        results = {changeset.attempt: green(changeset, built.tree, ok=ok)} if built else {}
        return publish(here, quarantine, through, results)[0]
