"""Files that jobs hand to each other, read with their caps, and the spec that may be believed beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from split_ci.changeset import MAX_JSON, load
from split_ci.errors import Refused, UsageError
from split_ci.results import load as load_results
from split_ci.spec import parse_spec

if TYPE_CHECKING:
    from split_ci.changeset import Changeset
    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.results import Results
    from split_ci.spec import Spec


def read_text(path: str, limit: int = MAX_JSON) -> str:
    """A regular file's UTF-8 text. Raises UsageError where there is none, Refused for a link, a size or no text."""
    if os.path.islink(path):
        raise Refused(f"{path}: a symbolic link, not a file")
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such file")
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refused(f"{path}: more than {limit} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: not UTF-8 at byte {error.start}") from None


def read_changeset(path: str) -> Changeset:
    """The changeset in a file. Raises UsageError or Refused, naming the file."""
    try:
        return load(read_text(path))
    except Refused as error:
        raise _named(error, path) from None


def read_results(path: str) -> Results:
    """The results in a file. Raises UsageError or Refused, naming the file."""
    try:
        return load_results(read_text(path))
    except Refused as error:
        raise _named(error, path) from None


def _named(error: Refused, path: str) -> Refused:
    said = error.message if error.message.startswith(path) else f"{path}: {error.message}"
    return Refused(said, hint=error.hint)


def given_specs(config: Config, file: str | None) -> dict[str, Spec]:
    """The spec in a file that the caller names, by id: for one that the base doesn't hold. Raises UsageError or Refused."""
    if file is None:
        return {}
    path = f"{config.specs}/{os.path.basename(file)}"
    parsed = parse_spec(read_text(file, 2 * 8 * 1024 * 1024).encode(), path)
    worst = next((p for p in parsed.problems if p.severity == "error"), None)
    if parsed.spec is None or worst:
        said = f"{worst.line}: {worst.code}: {worst.message}" if worst else "not a spec"
        raise Refused(f"{file}:{said}", hint=f"split-ci check {file}")
    return {parsed.spec.id: parsed.spec}


def same_base(repo: Repo, changeset: Changeset, rev: str | None) -> None:
    """Raises Refused where a changeset is not made for the commit that the caller names."""
    if rev is not None and repo.commit(rev) != changeset.base:
        raise Refused(f"{changeset.id}: rule base: the changeset is made for {changeset.base[:12]}, not for {rev}")
