"""Comment: shows a verdict where the result is shown, once for each head. It never approves and never merges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.coaching import default_branch
from split_ci.errors import Refused
from split_ci.hunks import shown_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from split_ci.git import Repo
    from split_ci.hunks import Lines
    from split_ci.ports import Forge, Shown
    from split_ci.verdict import Verdict


class Ready(NamedTuple):
    """A verdict that may be shown, and the lines that the diff of its result shows."""

    verdict: Verdict
    lines: Mapping[str, Lines]


def comment(forge: Forge, repo: Repo, verdicts: Iterable[tuple[str, Verdict]], specs: str = "specs") -> list[Shown]:
    """Makes sure that the forge shows the verdicts (file name, verdict). Raises Refused before the first is shown."""
    ready = forge.transact(repo, lambda there: [_examined(there, name, verdict, specs) for name, verdict in verdicts])
    return [forge.ensure_review(each.verdict, each.lines) for each in ready]


def _examined(repo: Repo, name: str, verdict: Verdict, specs: str) -> Ready:
    if repo.commit_or_none(verdict.head) is None:
        raise Refused(f"{name}: the result {verdict.head[:12]} is not here", hint="git fetch origin")
    fault = unread(repo, verdict, specs)
    if fault:
        raise Refused(f"{name}: {fault}", hint="split-ci review")
    paths = {finding.path for finding in verdict.findings}
    return Ready(verdict, shown_lines(repo, _compared_with(repo, verdict), verdict.head, paths) if paths else {})


def _compared_with(repo: Repo, verdict: Verdict) -> str:
    """What a pull request's diff starts from: where the result left the default branch."""
    tip = repo.commit_or_none(default_branch(repo)) or "HEAD"
    return repo.ask("merge-base", tip, verdict.head) or verdict.base


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
