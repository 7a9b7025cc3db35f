"""Gate: a changeset is judged from scratch. Nothing in it is believed: not what it calls exact, not its ids, not its paths.

The exact part is derived again from the spec and the base and must be equal. What a model wrote must lie where the spec
lets it. Then the commit is built in quarantine and the finished tree is read: it must differ from the base in exactly what
the changeset says, and in the spec's own move to the landed ones.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from split_ci import scope
from split_ci.git import FOLDER, differences
from split_ci.implementers.exact import derive
from split_ci.left import drifts
from split_ci.path_rules import Place
from split_ci.paths import path_fault
from split_ci.ports import Outcome
from split_ci.spec import parse_spec
from split_ci.store import Gated
from split_ci.stream import blob_oid, landed_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.changeset import Changeset
    from split_ci.config import Config
    from split_ci.git import Difference, Repo
    from split_ci.spec import Spec
    from split_ci.store import Built, Quarantine


def gate(
    repo: Repo, quarantine: Quarantine, changesets: Sequence[Changeset], specs: Mapping[str, Spec], config: Config
) -> list[Gated]:
    """Judges changesets, in their order, and builds their commits in the quarantine.

    `specs` are those that the caller has read from a trusted place, by id; any other is read from the changeset's base.
    """
    judge = _Judge(repo, quarantine, specs, config)
    judged = [judge.judge(changeset) for changeset in changesets]
    built = quarantine.build(
        [one.changeset for one in judged if one.place is not None],
        {one.changeset.id: one.spec.title for one in judged if one.spec is not None},
    )
    return _finish(repo, quarantine, judged, built)


class _Judge:
    """What is shared by the changesets of one call: readers of bases, and what is known of their folders."""

    def __init__(self, repo: Repo, quarantine: Quarantine, specs: Mapping[str, Spec], config: Config) -> None:
        self._repo = repo
        self._quarantine = quarantine
        self._specs = specs
        self._config = config
        self._places: dict[str, Place | None] = {}

    def judge(self, changeset: Changeset) -> _Judged:
        """Whether a commit may be made of it, and whether it may be published."""
        place = self._place(changeset.base)
        if place is None:
            return _Judged(changeset, None, None, f"{changeset.base}: rule base: no commit that this repository holds")
        if changeset.parent and not self._is_commit(changeset.parent):
            return _Judged(changeset, None, None, f"{changeset.parent}: rule parent: no commit that this repository holds")
        spec, fault = self._spec(changeset, place)
        fault = fault or scope.structure_fault(changeset, place, self._config.specs)
        if spec is None or fault:
            return _Judged(changeset, None, spec, fault)
        exact, applied = derive(spec, place.tree)
        ported = {drift.path for drift in drifts(applied, place.tree) if drift.path}
        fault = (
            scope.protection_fault(changeset, spec, place)
            or scope.exact_fault(changeset, exact, ported)
            or scope.model_fault(changeset, spec, exact, ported, place)
        )
        return _Judged(changeset, place, spec, fault)

    def _is_commit(self, oid: str) -> bool:
        found = self._quarantine.objects().read(oid) if len(oid) == len(self._repo.null_oid) else None
        return found is not None and found[1] == "commit"

    def _place(self, base: str) -> Place | None:
        if base not in self._places:
            known = self._is_commit(base)
            tree = self._repo.tree(base, self._quarantine.objects())
            self._places[base] = Place(tree, specs=self._config.specs, protected=self._config.protected) if known else None
        return self._places[base]

    def _spec(self, changeset: Changeset, place: Place) -> tuple[Spec | None, str | None]:
        """The spec from where it may be believed: what the caller read, or the base; its digest must be the changeset's."""
        path = f"{self._config.specs}/{changeset.id}.md"
        spec = self._specs.get(changeset.id)
        if spec is None:
            file = place.tree.read(path)
            if file is None:
                return None, f"{path}: rule spec: the base holds no such spec, and none was given with `--spec`"
            parsed = parse_spec(file.data, path)
            worst = next((p for p in parsed.problems if p.severity == "error"), None)
            if parsed.spec is None or worst:
                said = f"{worst.line}: {worst.code}: {worst.message}" if worst else "1: not a spec"
                return None, f"{path}:{said}"
            spec = parsed.spec
        if hashlib.sha256(changeset.spec).hexdigest() != changeset.digest:
            return None, f"{path}: rule digest: the spec inside of the changeset is not the one that its digest names"
        if spec.digest != changeset.digest:
            return (
                None,
                f"{path}: rule digest: the changeset was made for another text of this spec ({changeset.digest[:12]})",
            )
        return spec, None


class _Judged(NamedTuple):
    """`place` is there where a commit may be made."""

    changeset: Changeset
    place: Place | None
    spec: Spec | None
    fault: str | None


def _finish(repo: Repo, quarantine: Quarantine, judged: Sequence[_Judged], built: Sequence[Built]) -> list[Gated]:
    """Reads the finished trees, all by one `diff-tree`."""
    commits = iter(
        zip(built, differences(repo, [(b.changeset.base, b.commit) for b in built], quarantine.git_dir), strict=True)
    )
    finished = []
    for one in judged:
        commit, fault = None, one.fault
        if one.place is not None:
            commit, found = next(commits)
            tree_fault = _tree_fault(one.changeset, one.place, found, repo.object_format)
            if tree_fault:
                commit, fault = None, tree_fault
        finished.append(Gated(one.changeset, commit, _refusal(one.changeset, fault), one.spec))
    return finished


def _refusal(changeset: Changeset, fault: str | None) -> Outcome | None:
    if fault:
        return Outcome("refused", fault)
    return None if changeset.outcome.name == "done" else changeset.outcome


def _tree_fault(changeset: Changeset, place: Place, found: Mapping[str, Difference], object_format: str) -> str | None:
    """Why a finished tree is not the base with exactly what the changeset says."""
    expected = _expected(changeset, place, object_format)
    for path in sorted(expected.keys() | found.keys()):
        fault = path_fault(path)
        if fault:
            return f"{path[:200]!r}: rule path: it {fault}"
        now = found.get(path)
        if path not in expected:
            return f"{path}: rule tree: it differs from the base, and the changeset doesn't say so"
        if now is None:
            return f"{path}: rule tree: the changeset says that it changes, and it is as in the base"
        if (now.mode, now.oid) != expected[path]:
            return f"{path}: rule tree: the finished tree holds {now.mode} {now.oid}, not what the changeset says"
    return None


def _expected(changeset: Changeset, place: Place, object_format: str) -> dict[str, tuple[str, str] | tuple[None, None]]:
    """Path -> mode and blob id in the finished tree (None: gone), for every path that must differ from the base."""
    expected: dict[str, tuple[str, str] | tuple[None, None]] = {}
    for changed in changeset.changes:
        file = changed.file
        expected[changed.path] = (None, None) if file is None else (file.mode, blob_oid(file.data, object_format))
    pending, landed = place.tree.entry(changeset.spec_path), place.tree.entry(landed_path(changeset.spec_path))
    if pending is not None and pending.mode != FOLDER:
        expected[changeset.spec_path] = (None, None)
    spec = ("100644", blob_oid(changeset.spec, object_format))
    if landed is None or (landed.mode, landed.oid) != spec:
        expected[landed_path(changeset.spec_path)] = spec
    return expected
