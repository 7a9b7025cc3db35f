"""Git notes: read in one go, written beside what is there, and the local reviews among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from split_ci.errors import Refused, WorldError
from split_ci.plain import counted, visible
from split_ci.store import RefUpdate
from split_ci.verdict import DECIDED, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from split_ci.git import Objects, Repo
    from split_ci.store import Quarantine
    from split_ci.verdict import Finding, Verdict

T = TypeVar("T")

REVIEWS = "refs/notes/split-ci-review"


def note_ids(repo: Repo, at: str) -> dict[str, str]:
    """Object id -> the id of its note's blob, at a notes commit or ref; empty where there is none."""
    if repo.commit_or_none(at) is None:
        return {}
    found = {}
    for record in repo.git("ls-tree", "-r", "-z", "--full-tree", at).split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            _mode, kind, oid = head.decode().split(" ")
            if kind == "blob":  # a notes ref is open to whoever may push
                found[path.replace(b"/", b"").decode(errors="replace")] = oid
    return found


def notes(repo: Repo, at: str, objects: Objects | None = None) -> dict[str, bytes]:
    """Object id -> its whole note."""
    ids = note_ids(repo, at)
    if not ids:
        return {}
    with objects or repo.objects() as reader:
        return {oid: reader.blob(blob) for oid, blob in ids.items()}


def note_of(repo: Repo, at: str, oid: str) -> bytes | None:
    """One object's note."""
    if not at.startswith("refs/notes/"):
        return notes(repo, at).get(oid)
    blob = repo.ask("notes", f"--ref={at}", "list", oid)
    return repo.git("cat-file", "blob", blob) if blob else None


def put(
    quarantine: Quarantine, ref: str, wanted: Mapping[str, T], union: Callable[[str, bytes | None, T], bytes], message: str
) -> RefUpdate | None:
    """Sets notes to what `union` makes of the object, the old text and the new; None where nothing would change.

    The update expects the notes that were read, so whoever came between is never overwritten: try again then.
    """
    repo = quarantine.repo
    expected = repo.ask("rev-parse", "--verify", "--quiet", ref)
    if expected and repo.commit_or_none(ref) is None:
        raise WorldError(f"{ref} is no commit, so it holds no notes: somebody made it by hand", hint=f"delete {ref}")
    known = note_ids(repo, expected) if expected else {}
    changed: dict[str, bytes] = {}
    objects = quarantine.objects()
    for oid, value in wanted.items():
        old = objects.blob(known[oid]) if oid in known else None
        new = union(oid, old, value)
        if new != (old or b""):
            changed[oid] = new
    if not changed:
        return None
    return RefUpdate(ref, quarantine.note(ref, changed, message=message), expected)


def review_notes(quarantine: Quarantine, verdicts: Iterable[Verdict]) -> RefUpdate | None:
    """One review for each head commit, the last that is given; the same again changes nothing."""
    wanted = {verdict.head: verdict for verdict in verdicts}
    return put(quarantine, REVIEWS, wanted, lambda _oid, _old, verdict: review_note(verdict), "review results")


def review_note(verdict: Verdict) -> bytes:
    """The review as `git log --notes` shows it: for people first, then one line of JSON for `review_of`."""
    return (review_text(verdict) + "\n" + dump(verdict) + "\n").encode()


def review_text(verdict: Verdict) -> str:
    """The review for people, plain text; foreign characters are shown as escapes."""
    by = f"{verdict.by} (scripted)" if verdict.recorded and "(scripted)" not in verdict.by else verdict.by
    lines = [f"split-ci review of {verdict.id}: {DECIDED[verdict.decision]}, by {by}"]
    lines += [line for line in verdict.summary.splitlines() if line.strip()]
    for criterion in verdict.criteria:
        lines.append(f"  {criterion.id} {criterion.decision.replace('_', ' ')}" + _after(criterion.reason))
    lines += [line for finding in verdict.findings for line in _finding_lines(finding)]
    lines += [f"  meant: {each}" for each in verdict.waived]
    lines += [f"  lesson {lesson.id} (for the {lesson.audience}): {lesson.text}" for lesson in verdict.lessons]
    files, shown = counted(len(verdict.receipts), "changed file"), sum(r.shown for r in verdict.receipts)
    lines.append(f"  read {files}, {counted(shown, 'line')}")
    return "\n".join(visible(line) for line in lines) + "\n"


def _after(reason: str) -> str:
    return f": {' '.join(reason.split())}" if reason else ""


def _finding_lines(finding: Finding) -> list[str]:
    rule = f"{finding.rule}: " if finding.rule else ""
    lines = [f"  {finding.path}:{finding.line}: {rule}{' '.join(finding.message.split())} ({finding.cause})"]
    return lines + [f"    > {line}" for line in finding.quote.splitlines()[:6]]


def verdict_in(note: bytes) -> Verdict | None:
    """The verdict in a note's last line; None where there is none that holds."""
    lines = note.decode(errors="replace").splitlines()
    for line in reversed(lines):
        if line.startswith("{"):
            try:
                return load(line)
            except Refused:
                return None
    return None


def review_of(repo: Repo, commit: str) -> Verdict | None:
    """The review of one commit."""
    note = note_of(repo, REVIEWS, commit)
    verdict = verdict_in(note) if note is not None else None
    return verdict if verdict and verdict.head == commit else None


def review_before(repo: Repo, commit: str) -> Verdict | None:
    """The review of the round before: of the commit that this one goes on from."""
    parent = repo.commit_or_none(f"{commit}^")
    return review_of(repo, parent) if parent else None


def reviews(repo: Repo) -> dict[str, Verdict]:
    """Head commit -> its review, for all that there are."""
    found = {oid: verdict_in(note) for oid, note in notes(repo, REVIEWS).items()}
    return {oid: verdict for oid, verdict in found.items() if verdict and verdict.head == oid}
