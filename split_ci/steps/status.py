"""Status: every spec and where it stands, computed from commits, branches and notes. Nothing is stored for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import ledger, notes
from split_ci.branches import ATTEMPTS, trailers
from split_ci.coaching import ROLLING, default_branch
from split_ci.path_rules import Place
from split_ci.pending import landed, name_problems, pending
from split_ci.pull_state import read_state
from split_ci.rules import judge
from split_ci.spec import parse_spec
from split_ci.starting import landed_text
from split_ci.stream import BOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Objects, Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Forge, Pull
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

STATES = (
    "draft", "ready", "waiting", "invalid", "done", "approved", "changes-requested", "incomplete", "failed", "refused",
    "stale", "over-limit", "blocked", "landed",
)  # fmt: skip
REVIEWED = {"approve": "approved", "request_changes": "changes-requested", "incomplete": "incomplete"}
PREFIX = "split-ci/"
MET = ("landed", "done", "approved")  # a need in one of these states holds nothing up


class Status(NamedTuple):
    """One spec. `usd` is None where a price isn't known, `branch` where nothing was made; `green` of `criteria` hold."""

    id: str
    state: str
    title: str = ""
    branch: str | None = None
    head: str | None = None
    pull: int | None = None
    rounds: int = 0
    green: int = 0
    criteria: int = 0
    usd: float | None = 0.0
    waits_for: tuple[str, ...] = ()
    reason: str = ""
    digest: str = ""


class Head(NamedTuple):
    """A result's branch: its head commit, and what the commit's trailers say."""

    branch: str
    commit: str
    by_bot: bool
    trailers: Mapping[str, str]


class _Facts(NamedTuple):
    repo: Repo
    specs: Mapping[str, Spec]
    landed: Mapping[str, str]  # id -> blob
    folder: str
    broken: Mapping[str, str]  # id -> why the spec can't be dispatched
    heads: Mapping[str, Head]
    entries: Mapping[str, Sequence[Entry]]
    reviews: Mapping[str, Verdict]


def status(repo: Repo, config: Config, rev: str = "HEAD") -> list[Status]:
    """Every spec that is pending or landed at a commit, or has a result, by id. Raises WorldError."""
    with repo.objects() as objects:
        facts = _facts(repo, config, rev, objects)
    ids = sorted({*facts.specs, *facts.broken, *facts.landed, *facts.heads})
    found = {each: _status(each, facts) for each in ids}
    return [_waiting(each, found, facts) for each in found.values()]


def with_pulls(found: Sequence[Status], forge: Forge) -> list[Status]:
    """The same with their pull requests; one that a person closed holds its spec up. Raises WorldError."""
    opened = {pull.branch: pull for pull in forge.pulls()}
    return [_with_pull(one, opened.get(one.branch or ""), forge) for one in found]


def _with_pull(one: Status, opened: Pull | None, forge: Forge) -> Status:
    pull = opened or (forge.pull(one.branch) if one.branch and one.state != "landed" else None)
    if pull is None or pull.number is None:
        return one
    one = one._replace(pull=pull.number)
    state = read_state(pull.body)
    if not pull.own and pull.state == "open":
        return one._replace(state="blocked", reason=f"#{pull.number} is {pull.author}'s, not the bot's")
    if pull.state == "closed" and pull.own and not pull.withdrawn and state is not None and state.digest == one.digest:
        return one._replace(state="blocked", reason=f"#{pull.number} was closed by a person")
    return one


def _facts(repo: Repo, config: Config, rev: str, objects: Objects) -> _Facts:
    specs: dict[str, Spec] = {}
    broken: dict[str, str] = {}
    done: dict[str, str] = {}
    commit = repo.commit_or_none(rev)
    if commit:
        tree = repo.tree(commit, objects)
        done = {id_: entry.oid for id_, entry in landed(tree, config.specs).items()}
        place = Place(tree, specs=config.specs, protected=config.protected)
        files = pending(tree, config.specs)
        faults = {p.path: p.message for p in name_problems(files, landed(tree, config.specs)) if p.severity == "error"}
        for file in files:
            content = tree.read(file.path)
            parsed = parse_spec(content.data if content else b"", file.path)
            if parsed.spec:
                specs[file.id] = parsed.spec
            problems = judge(parsed.spec, place, parsed.problems).problems if parsed.spec else parsed.problems
            errors = [p.message for p in problems if p.severity == "error"] or [
                m for path, m in faults.items() if path == file.path
            ]
            if errors:
                broken[file.id] = errors[0]
    entries: dict[str, list[Entry]] = {}
    for entry in ledger.read_all(repo):
        entries.setdefault(entry.id, []).append(entry)
    return _Facts(repo, specs, done, config.specs, broken, heads(repo, config, objects), entries, notes.reviews(repo))


def heads(repo: Repo, config: Config, objects: Objects) -> dict[str, Head]:
    """Spec id -> its result's branch, a local one before a remote's."""
    own = {*repo.refs(ATTEMPTS).values(), *notes.note_ids(repo, ledger.REF)}
    found: dict[str, Head] = {}
    for start in ("refs/heads/", "refs/remotes/origin/"):
        for ref, commit in repo.refs(start + PREFIX).items():
            branch = ref.removeprefix(start)
            spec_id = branch.removeprefix(PREFIX)
            if branch not in (config.coaching.branch, ROLLING) and spec_id not in found:
                head = read_head(branch, commit, objects)
                believed = head.by_bot and (not own or start != "refs/heads/")  # of a remote, offline, not all is known
                found[spec_id] = head._replace(by_bot=commit in own or believed)
    return found


def read_head(branch: str, commit: str, objects: Objects) -> Head:
    """A result's commit, and what it says of itself."""
    raw = objects.read(commit)
    header, _, message = (raw[2] if raw else b"").partition(b"\n\n")
    by_bot = BOT.encode() in header.partition(b"\nauthor ")[2].partition(b"\n")[0]
    return Head(branch, commit, by_bot, trailers(message.decode(errors="replace")))


def _status(spec_id: str, facts: _Facts) -> Status:
    spec, head = facts.specs.get(spec_id), facts.heads.get(spec_id)
    digest = spec.digest if spec else (head.trailers.get("Spec-Digest", "") if head else "")
    entries = [e for e in facts.entries.get(spec_id, ()) if not digest or e.digest == digest]
    attempts = [e for e in entries if e.role == "implementer"]
    state, reason = _state(spec_id, facts, digest, attempts)
    best = next((e for e in reversed(attempts) if e.criteria), None)
    return Status(
        id=spec_id,
        state=state,
        title=spec.title if spec else "",
        branch=head.branch if head else None,
        head=head.commit if head else None,
        rounds=max((e.round for e in attempts), default=0),
        green=sum(c.green is True for c in best.criteria) if best else 0,
        criteria=len(spec.accept) if spec else len(best.criteria) if best else 0,
        usd=_sum(e.usage.usd for e in entries),
        reason=reason,
        digest=digest,
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = list(amounts)
    return None if None in known else sum(filter(None, known))


def _state(spec_id: str, facts: _Facts, digest: str, attempts: Sequence[Entry]) -> tuple[str, str]:
    """(state, why) of one spec, its needs left aside."""
    spec, head = facts.specs.get(spec_id), facts.heads.get(spec_id)
    if spec_id in facts.landed and spec is None:
        return "landed", ""
    if head is not None and not (head.by_bot and head.trailers.get("Spec") == spec_id):
        return "blocked", f"{head.branch} holds a commit that is not the bot's"
    if head is not None and head.trailers.get("Spec-Digest") == digest:
        return _state_of_result(head, facts, attempts, spec)
    if spec_id in facts.broken:
        return "invalid", facts.broken[spec_id]
    if attempts and attempts[-1].outcome not in ("done", "unchanged"):
        return attempts[-1].outcome, attempts[-1].reason
    return ("draft" if spec is not None and spec.status == "draft" else "ready"), ""


def _state_of_result(head: Head, facts: _Facts, attempts: Sequence[Entry], spec: Spec | None) -> tuple[str, str]:
    moved = _moved_need(spec, head, facts, frozenset()) if spec else None
    if moved:
        return "stale", f"{moved} has changed since"
    review = facts.reviews.get(head.commit)
    if review and review.world:
        cut = next((line for line in reversed(review.summary.splitlines()) if line.startswith("Not finished: ")), "")
        return "done", f"its review was cut off, and is asked for again: {cut.removeprefix('Not finished: ')}".rstrip(": ")
    if review:
        return REVIEWED[review.decision], review.summary.partition("\n")[0]
    own = [e for e in attempts if e.commit == head.commit]
    if own and own[-1].outcome not in ("done", "unchanged"):
        return own[-1].outcome, own[-1].reason
    return "done", ""


def _moved_need(spec: Spec, head: Head, facts: _Facts, above: frozenset[str]) -> str | None:
    """A need, of the spec or of one of its needs, that is something else now than what the result builds on."""
    for need in spec.needs:
        theirs, text = facts.heads.get(need), facts.specs.get(need)
        if text is None and need in facts.landed:
            if facts.landed[need] != (landed_text(facts.repo, head.commit, need, facts.folder) or facts.landed[need]):
                return need
        elif theirs is None or _has_moved(theirs, head, text, facts):
            return need
        elif text and need not in above:
            further = _moved_need(text, theirs, facts, above | {spec.id})
            if further:
                return further
    return None


def _has_moved(theirs: Head, head: Head, text: Spec | None, facts: _Facts) -> bool:
    """Whether a need's result is of another text than the need has now, or not the one that a result builds on."""
    base = head.trailers.get("Base", "")
    if (text and theirs.trailers.get("Spec-Digest") != text.digest) or not facts.repo.commit_or_none(base):
        return True
    return theirs.commit != base and facts.repo.ask("merge-base", "--is-ancestor", theirs.commit, base) is None


def _waiting(one: Status, found: Mapping[str, Status], facts: _Facts) -> Status:
    spec = facts.specs.get(one.id)
    if spec is None or one.state not in ("ready", "draft", "stale"):
        return one
    held = tuple(need for need in spec.needs if need not in found or found[need].state not in MET)
    return one._replace(waits_for=held, state="waiting" if held and one.state == "ready" else one.state)


def default_rev(repo: Repo) -> str:
    """Where specs are looked up: HEAD, else the default branch (a bare repository, an unborn HEAD)."""
    return "HEAD" if repo.commit_or_none("HEAD") else default_branch(repo)
