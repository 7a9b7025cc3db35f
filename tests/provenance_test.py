"""Where workflows take split-ci from: what a person gives, what pip wrote down, and what neither tells."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import UsageError
from split_ci.git import clean_env
from split_ci.provenance import find_or_none, given
from tests.builders import SOURCE, git, make_repo, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIVEN = {
    "an address and a commit": (f"git+https://github.com/o/r@{COMMIT}", f"split-ci @ git+https://github.com/o/r@{COMMIT}"),
    "a whole requirement": (f"split-ci @ git+https://h.example:8443/o/r.git@{COMMIT}", f"split-ci @ git+https://h.example:8443/o/r.git@{COMMIT}"),
    "this repository": (".", "."),
}  # fmt: skip
REFUSED = {
    "a branch": "git+https://github.com/o/r@main",
    "half a commit": "git+https://github.com/o/r@0123456",
    "no commit": "git+https://github.com/o/r",
    "no encryption": f"git+http://github.com/o/r@{COMMIT}",
    "a name and a password": f"git+https://me:secret@github.com/o/r@{COMMIT}",
    "another package": f"other @ git+https://github.com/o/r@{COMMIT}",
    "an option": "--index-url=https://a.example",
    "two lines": f"git+https://github.com/o/r@{COMMIT}\n--pre",
    "a folder": "../split-ci",
    "a fragment": f"git+https://github.com/o/r@{COMMIT}#egg=x",
}


@pytest.mark.parametrize(("text", "line"), GIVEN.values(), ids=GIVEN)
def test_what_a_person_gives(text: str, line: str) -> None:
    assert given(text) == line


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_pins_no_commit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="pins no commit of a repository"):
        given(text)


def test_the_repository_of_split_ci_is_its_own_source() -> None:
    assert find_or_none(SOURCE) == "."


def installed(tmp_path: Path, direct_url: str | None) -> str:
    """What is found where pip wrote this down, in a process of its own."""
    site = tmp_path / "site"
    info = "split_ci-9.0.dist-info"
    write(site, {f"{info}/METADATA": "Metadata-Version: 2.1\nName: split-ci\nVersion: 9.0\n"})
    if direct_url is not None:
        write(site, {f"{info}/direct_url.json": direct_url})
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    code = "import sys; from split_ci.provenance import find_or_none; print(find_or_none(sys.argv[1]))"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, tmp_path / "elsewhere"], check=True, capture_output=True, text=True,
        env=clean_env({"PYTHONPATH": f"{site}:{SOURCE}"}),
    ).stdout.strip()  # fmt: skip


def vcs(url: str, commit: str = COMMIT) -> str:
    return json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": commit, "requested_revision": "main"}})


TOLD = {
    "from a repository": (vcs("https://github.com/o/r.git"), f"split-ci @ git+https://github.com/o/r.git@{COMMIT}"),
    "with a name and a password": (vcs("https://me:secret@github.com/o/r"), "None"),
    "by ssh": (vcs("ssh://git@github.com/o/r"), "None"),
    "from an archive": (json.dumps({"url": "https://a.example/split-ci.zip", "archive_info": {}}), "None"),
    "from an index": (None, "None"),
    "broken": ("{", "None"),
    "a list": ("[]", "None"),
    "nothing of a repository": (json.dumps({"url": "https://github.com/o/r", "vcs_info": []}), "None"),
    "a folder that is gone": (json.dumps({"url": "file:///nowhere/at/all", "dir_info": {}}), "None"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), TOLD.values(), ids=TOLD)
def test_what_pip_wrote_down(tmp_path: Path, text: str | None, line: str) -> None:
    assert installed(tmp_path, text) == line


CLONES = {
    "of https": ("https://github.com/o/r.git", True, "https://github.com/o/r.git"),
    "of ssh": ("git@github.com:o/r.git", True, "https://github.com/o/r.git"),
    "of a folder": ("/srv/r.git", True, None),
    "whose commit nobody else has": ("https://github.com/o/r.git", False, None),
}


@pytest.mark.parametrize(("origin", "pushed", "url"), CLONES.values(), ids=CLONES)
def test_a_clone_that_it_was_installed_from(tmp_path: Path, origin: str, pushed: bool, url: str | None) -> None:
    clone = make_repo(tmp_path / "a clone", {"a.txt": "a"})
    git(clone, "remote", "add", "origin", origin)
    if pushed:
        git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    found: Mapping[str, object] = {"url": clone.as_uri(), "dir_info": {"editable": True}}
    wanted = f"split-ci @ git+{url}@{git(clone, 'rev-parse', 'HEAD')}" if url else "None"
    assert installed(tmp_path, json.dumps(found)) == wanted
