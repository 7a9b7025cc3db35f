"""Which ready specs have no result yet, in what order, and what it may cost: from a commit and the refs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci.left import NO_RUNG, instructs
from split_ci.paths import is_glob, select
from split_ci.proof import judge_all, source_of
from split_ci.relations import order, overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.git import Objects, Repo
    from split_ci.ports import Tree
    from split_ci.proof import Checked, Source
    from split_ci.spec import Spec

State = Literal["pending", "done", "draft", "invalid"]
BYTES_A_TOKEN = 4  # a rule of thumb, good enough to say cents or dollars
MOST_COMMITS = 50  # of a branch that are looked at for the one that says its generation
BRANCHES = "split-ci/"


class Estimate(NamedTuple):
    """What one round of a model may cost: tokens, and US dollars (None where the price isn't known)."""

    input: int = 0
    output: int = 0
    usd: float | None = 0.0


class Planned(NamedTuple):
    """One pending spec. `needs` are all that it names, `waits_for` those that have not landed."""

    id: str
    path: str
    digest: str
    state: State
    needs: tuple[str, ...]
    overlaps: tuple[str, ...]
    waits_for: tuple[str, ...] = ()
    exact: bool = True
    estimate: Estimate = Estimate()
    reason: str = ""


class Plan(NamedTuple):
    """`waves`: ids of the specs that are `pending`, each after what it needs and what overlaps it."""

    base: str
    waves: tuple[tuple[str, ...], ...]
    specs: tuple[Planned, ...]


def plan(repo: Repo, at: str = "HEAD") -> Plan:
    """The plan at a commit. Raises UsageError for a revision that is none."""
    base = repo.commit(at)
    source = source_of(repo, at=base)
    checked = judge_all(source)
    sound = {one.id: one.spec for one in checked if one.spec and one.ok and one.spec.status == "ready"}
    done = _with_result(repo, sound)
    open_ = [spec for id_, spec in sound.items() if id_ not in done]
    meets = overlaps(open_, source.tree)
    planned = [_planned(one, source, done, meets) for one in checked]
    return Plan(base, tuple(tuple(wave) for wave in order(open_, meets)), tuple(planned))


def _planned(one: Checked, source: Source, done: Mapping[str, str], meets: Mapping[str, Sequence[str]]) -> Planned:
    spec = one.spec
    if spec is None:
        return Planned(one.id, one.path, "", "invalid", (), (), reason=_reason(one))
    state: State = "draft" if spec.status == "draft" else "done" if one.id in done else "pending" if one.ok else "invalid"
    return Planned(
        id=one.id,
        path=one.path,
        digest=spec.digest,
        state=state,
        needs=spec.needs,
        overlaps=tuple(meets.get(one.id, ())),
        waits_for=tuple(need for need in spec.needs if need not in source.landed),
        exact=not instructs(spec),
        estimate=estimate(spec, source),
        reason=_reason(one) or _unable(spec, source),
    )


def _unable(spec: Spec, source: Source) -> str:
    """Why nobody can do a spec that checks well: it instructs a model, and none is configured."""
    return "" if not instructs(spec) or _rung(spec, source) else f"it {NO_RUNG}"


def _rung(spec: Spec, source: Source) -> str | None:
    """The first rung that can do more than what is exact."""
    return spec.implementer or next((name for name in source.config.implementers if name != "exact"), None)


def _reason(one: Checked) -> str:
    first = next((p for p in one.problems if p.severity == "error"), None)
    return f"{first.path}:{first.line}: {first.code} {first.message}" if first else ""


def estimate(spec: Spec, source: Source) -> Estimate:
    """What a model's round may cost: it reads the spec and the files concerned, and writes what it is told to anew."""
    tree, config = source.tree, source.config
    told = [path for change in instructs(spec) for path in change.paths]
    if not told:
        return Estimate()
    written = _sizes(tree, told)
    read = written + len(spec.data) + _sizes(tree, _expanded(spec.read, tree))
    tokens = Estimate(read // BYTES_A_TOKEN, max(written, len(spec.data)) // BYTES_A_TOKEN, None)
    rung = _rung(spec, source)
    model = config.models.get(rung) if rung else None
    if model is None or model.price is None:
        return tokens
    usd = (tokens.input * model.price.input + tokens.output * model.price.output) / 1e6
    return tokens._replace(usd=round(usd, 6))


def _sizes(tree: Tree, paths: Sequence[str]) -> int:
    return sum(len(file.data) for file in map(tree.read, paths) if file)


def _expanded(globs: Sequence[str], tree: Tree) -> list[str]:
    plain = [glob for glob in globs if not is_glob(glob)]
    wild = [glob for glob in globs if is_glob(glob)]
    return [*plain, *(select(wild, tree.paths()) if wild else ())]


# --- results that there are


def _with_result(repo: Repo, specs: Mapping[str, Spec]) -> dict[str, str]:
    """Ids of specs whose branch, here or fetched from a remote, holds the result of this very text -> that commit."""
    found: dict[str, str] = {}
    with repo.objects() as objects:
        for ref, head in repo.refs("refs/heads/split-ci", "refs/remotes").items():
            id_ = ref.partition("/" + BRANCHES)[2]
            if id_ in specs and id_ not in found and generation(objects, head) == specs[id_].digest:
                found[id_] = head
    return found


def generation(objects: Objects, head: str) -> str | None:
    """The digest of the spec that a branch is the result of: the trailer of the bot's newest commit on it."""
    at: str | None = head
    for _ in range(MOST_COMMITS):
        found = objects.read(at) if at else None
        if found is None or found[1] != "commit":
            return None
        header, _, message = found[2].decode("utf-8", "replace").partition("\n\n")
        for line in reversed(message.rstrip().split("\n")):
            if line.startswith("Spec-Digest: "):
                return line[len("Spec-Digest: ") :].strip()
        at = next((line[len("parent ") :] for line in header.split("\n") if line.startswith("parent ")), None)
    return None
