"""The forge that is git itself: a branch is the pull request, a note on its head is the review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.branches import HEADS
from split_ci.errors import WorldError
from split_ci.notes import review_notes
from split_ci.ports import Pull, Shown
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.examined import Finding
    from split_ci.git import Repo
    from split_ci.github_settings import Needs
    from split_ci.ports import Proposal, T
    from split_ci.verdict import Verdict

TRIES = 8


class Local:
    """A `ports.Forge` without a network."""

    name = "local"

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def transact(self, repo: Repo, work: Callable[[Repo], T]) -> T:
        """The refs are in the repository itself."""
        return work(repo)

    def pull(self, branch: str) -> Pull | None:
        """The branch, where there is one."""
        ref = f"refs/heads/{branch}"
        head = self._repo.refs(ref).get(ref)
        return Pull(None, "", head, "open", branch=branch) if head else None

    def pulls(self) -> list[Pull]:
        """All branches `split-ci/…`."""
        found = self._repo.refs(HEADS).items()
        return [Pull(None, "", head, "open", branch=ref.removeprefix("refs/heads/")) for ref, head in found]

    def ensure_pull(self, proposal: Proposal) -> Pull:
        """The branch: there is nothing beside it to open."""
        return Pull(None, "", proposal.head, "open", branch=proposal.branch)

    def examine(self, needs: Needs) -> tuple[Finding, ...]:  # noqa: ARG002 - the port
        """There is nothing but git."""
        return ()

    def close_pull(self, branch: str, word: str) -> Pull | None:  # noqa: ARG002 - the port
        """None: there is nothing beside the branch to close."""
        return None

    def ensure_review(self, verdict: Verdict, lines: Mapping[str, tuple[range, ...]]) -> Shown:  # noqa: ARG002 - the port
        """One note on the head that was reviewed; the same review again changes nothing."""
        self.ensure_reviews([verdict])
        return Shown(listed=len(verdict.findings))

    def ensure_reviews(self, verdicts: Sequence[Verdict]) -> bool:
        """As `ensure_review`, for many at once. False where all were there. Raises WorldError after lost races."""
        for _ in range(TRIES):
            with Quarantine(self._repo) as quarantine:
                update = review_notes(quarantine, verdicts)
                if update is None:
                    return False
                if not quarantine.admit([update], why="split-ci comment"):
                    return True
        raise WorldError("refs/notes/split-ci-review kept moving while it was written", again=True)


def make(repo: Repo, config: Config, env: Mapping[str, str]) -> Local:  # noqa: ARG001 - the table's signature
    """The forge of a repository."""
    return Local(repo)
