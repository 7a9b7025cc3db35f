"""Builders of results: a spec's exact part (and what a model added), as a real commit on its branch, with its results."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from split_ci.changeset import Changed, Changeset
from split_ci.edit import apply_exact
from split_ci.git import Repo
from split_ci.ports import File, Usage
from split_ci.results import CriterionResult, Results
from split_ci.reviewers.rules import Rules
from split_ci.spec import Spec, parse_spec
from split_ci.steps.review import Subject, review_all
from split_ci.store import Quarantine, RefUpdate
from tests.builders import make_repo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from split_ci.lesson import Lesson
    from split_ci.verdict import Verdict


class Result(NamedTuple):
    repo: Repo
    spec: Spec
    base: str
    head: str
    changeset: Changeset
    results: Results

    def subject(self, results: Results | None = None) -> Subject:
        return Subject(self.spec, self.base, self.head, results or self.results)


def parsed(text: str, spec_id: str = "one") -> Spec:
    found = parse_spec(text.encode(), f"specs/{spec_id}.md")
    assert found.spec is not None, found.problems
    return found.spec


def make_result(
    root: Path,
    files: Mapping[str, str | bytes],
    text: str,
    *,
    spec_id: str = "one",
    model: Mapping[str, str | bytes | File | None] | None = None,
) -> Result:
    """A repository with the files and the spec in its first commit, and the spec's result on its branch."""
    make_repo(root, {**files, f"specs/{spec_id}.md": text})
    return add_result(root, text, spec_id=spec_id, model=model)


def add_result(
    root: Path,
    text: str,
    *,
    spec_id: str = "one",
    model: Mapping[str, str | bytes | File | None] | None = None,
    usage: Usage = Usage(),  # noqa: B008 - a value
) -> Result:
    """The result of a spec that HEAD holds; `model` overlays what a model wrote."""
    repo = Repo.find(str(root))
    spec, base = parsed(text, spec_id), repo.commit("HEAD")
    tree = repo.tree(base)
    made: dict[str, File | None] = dict(apply_exact(spec.changes, tree, spec.path).files)
    made.update({path: _file(content) for path, content in (model or {}).items()})
    changes = []
    for path, file in sorted(made.items()):
        entry = tree.entry(path)
        changes.append(Changed(path, file, entry.oid if entry else None, "model" if path in (model or {}) else "exact"))
    changeset = Changeset(
        id=spec_id,
        digest=spec.digest,
        base=base,
        attempt=sha256(f"{spec.digest} {base} {model}".encode()).hexdigest()[:16],
        implementer="cheap" if model else "exact",
        changes=tuple(changes),
        spec=spec.data,
        spec_path=spec.path,
        edits={"exact": 1, "adapted": 0, "model": len(model or {})},
        usage=usage,
    )
    with Quarantine(repo) as quarantine:
        built = quarantine.build([changeset])[0]
        ref = f"refs/heads/split-ci/{spec_id}"
        assert quarantine.admit([RefUpdate(ref, built.commit, repo.refs(ref).get(ref))]) == []
    return Result(repo, spec, base, built.commit, changeset, results_of(spec, base, built.tree))


def _file(content: str | bytes | File | None) -> File | None:
    if content is None or isinstance(content, File):
        return content
    return File(content.encode() if isinstance(content, str) else content)


def results_of(spec: Spec, base: str, tree: str, green: Sequence[bool | None] = ()) -> Results:
    """Results as `accept` would write them: every criterion as required, or as `green` says."""
    states = [*green, *[True] * len(spec.accept)][: len(spec.accept)]
    criteria = [
        CriterionResult(c.id, c.subject, red=True, green=ok, seconds=0.1, reason="" if ok else "exit 1")
        for c, ok in zip(spec.accept, states, strict=True)
    ]
    return Results(
        spec.id, spec.digest, base, tree, "0" * 64, tuple(criteria), {"kind": "none", "probed": False, "facts": {}}
    )


def judge(result: Result, *, lessons: Sequence[Lesson] = (), results: Results | None = None) -> Verdict:
    """The rules' verdict on a result."""
    return review_all(result.repo, [result.subject(results)], [Rules()], lessons=lessons)[0]
