"""Comment: shows a verdict where the result is shown, once for each head. It never approves and never merges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.markdown import code, line, prose
from split_ci.plain import visible
from split_ci.ports import Pull
from split_ci.verdict import DECIDED, dump

if TYPE_CHECKING:
    from split_ci.git import Repo
    from split_ci.ports import Forge
    from split_ci.verdict import Finding, Verdict

STATUS = {"approve": "success", "request_changes": "failure", "incomplete": "error"}
MAX_BODY = 60_000  # forges refuse a comment of more than 65,536 characters
MAX_COMMENTS = 50
MAX_REMARK = 4_000


def unread(repo: Repo, verdict: Verdict, specs: str = "specs") -> str | None:
    """The first changed path of which an approval holds no receipt of that very content: read out of git again."""
    if verdict.decision != "approve":
        return None
    if repo.commit_or_none(verdict.base) is None:
        return f"its base {verdict.base[:12]} is not here"
    out = repo.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", verdict.base, verdict.head)
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    held = {(receipt.path, receipt.blob) for receipt in verdict.receipts}
    own = (f"{specs}/{verdict.id}.md", f"{specs}/landed/{verdict.id}.md")
    for raw, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = raw.split(" ")
        if path not in own and (path, None if mode == "000000" else blob) not in held:
            return f"it approves, and holds no receipt for {path}"
    return None


def comment(forge: Forge, verdict: Verdict, pull: Pull | None = None) -> None:
    """Makes sure that the forge shows the verdict. Raises WorldError."""
    forge.ensure_review(pull or Pull(None, "", verdict.head, "open"), payload(verdict))


def payload(verdict: Verdict) -> dict[str, Any]:
    """What a forge is given. In `body` and `comments`, Markdown, foreign text can do nothing; lines count at the head."""
    shown = verdict.findings[:MAX_COMMENTS]
    return {
        "head": verdict.head,
        "decision": verdict.decision,
        "status": STATUS[verdict.decision],
        "title": visible(f"{DECIDED[verdict.decision]} by {verdict.by}")[:140],
        "body": body(verdict),
        "comments": [{"path": f.path, "line": f.line, "body": remark(f)} for f in shown],
        "verdict": dump(verdict),
    }


def body(verdict: Verdict) -> str:
    """The review as one comment."""
    by = f"{verdict.by}, scripted" if verdict.recorded and "scripted" not in verdict.by else verdict.by
    parts = [f"**split-ci review: {DECIDED[verdict.decision]}** (by {line(by)})", prose(verdict.summary)]
    if verdict.criteria:
        parts.append("\n".join(f"- {c.id}: {c.decision.replace('_', ' ')}{_reason(c.reason)}" for c in verdict.criteria))
    parts += [f"- {code(f'{f.path}:{f.line}')}: {remark(f)}" for f in verdict.findings]
    parts += [f"- meant: {line(each)}" for each in verdict.waived]
    parts += [f"Lesson for the {lesson.audience}: {line(lesson.text)}" for lesson in verdict.lessons]
    files = "\n".join(f"- {code(r.path)}: {r.shown} of {r.lines} lines" for r in verdict.receipts)
    parts.append(f"Read in full, {len(verdict.receipts)} files:\n{files}" if files else "No file was changed.")
    return cut("\n\n".join(part for part in parts if part))


def remark(finding: Finding) -> str:
    """A finding without its place."""
    rule = f"{finding.rule}: " if finding.rule else ""
    return f"{rule}{prose(finding.message, MAX_REMARK)} (cause: {finding.cause})"


def _reason(reason: str) -> str:
    return f": {line(reason)}" if reason else ""


def cut(text: str) -> str:
    """The text, short enough for a comment; what was cut off is said."""
    if len(text) <= MAX_BODY:
        return text
    return text[:MAX_BODY].rpartition("\n")[0] + "\n\n… the rest is in the review's file."
