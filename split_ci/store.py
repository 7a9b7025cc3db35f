"""Where results become commits: built in a quarantine beside the object store, made visible by one transaction of refs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from split_ci.changeset import Changeset
    from split_ci.git import Objects, Repo


class Built(NamedTuple):
    """A changeset as a commit; it lies in the quarantine until `Quarantine.admit`."""

    changeset: Changeset
    commit: str
    tree: str


class RefUpdate(NamedTuple):
    """One line of the transaction: `expected` None means that the ref must not exist; `new` None deletes it."""

    ref: str
    new: str | None
    expected: str | None


class Quarantine:
    """A temporary bare repository with the user's objects as alternate. Gone at the end, whatever happened."""

    git_dir: str

    def __init__(self, repo: Repo) -> None:
        self.repo = repo

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        raise NotImplementedError

    def objects(self) -> Objects:
        """Reads what is in the quarantine and in the repository behind it."""
        raise NotImplementedError

    def build(self, changesets: Sequence[Changeset]) -> list[Built]:
        """One commit for each changeset, all by one `git fast-import`; the same changeset gives the same commit id."""
        raise NotImplementedError

    def note(self, ref: str, notes: Mapping[str, bytes], *, message: str) -> str:
        """A commit on a notes ref that sets the note of each object (id -> whole text), on top of what the repository holds."""
        raise NotImplementedError

    def admit(self, updates: Sequence[RefUpdate]) -> list[RefUpdate]:
        """Moves the objects into the repository and makes the refs visible in one transaction of compare-and-swap.

        Returns the updates that lost the race; then none of the transaction was done. Raises WorldError where a lock stays.
        """
        raise NotImplementedError
