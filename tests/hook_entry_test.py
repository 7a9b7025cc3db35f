"""The hook's entry goes into a pre-commit configuration as text: every other byte stays."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from split_ci.hook_entry import has_entry, with_entry

ENTRY = files("split_ci").joinpath("templates/hook.yaml").read_text()
INDENTED = "".join("  " + line for line in ENTRY.splitlines(keepends=True))
ROOT = Path(__file__).resolve().parent.parent
OTHER = "repos:\n- repo: https://example.org/a\n  rev: v1\n  hooks:\n  - id: a\n"

TAKES_IT = {
    "dashes at the margin": (OTHER, OTHER + ENTRY),
    "dashes indented": ("repos:\n  - repo: meta\n    hooks: [{id: identity}]\n", "repos:\n  - repo: meta\n    hooks: [{id: identity}]\n" + INDENTED),
    "no newline at the end": (OTHER.rstrip("\n"), OTHER + ENTRY),
    "comments and other keys behind": (
        "# ours\n" + OTHER + "\n# for CI\nci:\n  skip: [a]\n",
        "# ours\n" + OTHER + ENTRY + "\n# for CI\nci:\n  skip: [a]\n",
    ),
    "repos last": ("fail_fast: true  # yes\n" + OTHER, "fail_fast: true  # yes\n" + OTHER + ENTRY),
    "a list that is empty": ("repos: []  # none yet\n", "repos: # none yet\n" + ENTRY),
    "a list that is not there": ("repos:\n", "repos:\n" + ENTRY),
    "carriage returns": (OTHER.replace("\n", "\r\n"), (OTHER + ENTRY).replace("\n", "\r\n")),
    "a comment before the first dash": ("repos:\n# first\n- repo: meta\n  hooks: []\n", "repos:\n# first\n- repo: meta\n  hooks: []\n" + ENTRY),
    "text that has lines like dashes": (
        "repos:\n- repo: local\n  hooks:\n  - id: a\n    entry: |\n      - x\n\n      - y\n",
        "repos:\n- repo: local\n  hooks:\n  - id: a\n    entry: |\n      - x\n\n      - y\n" + ENTRY,
    ),
}  # fmt: skip

REFUSES = {
    "a list in one line": ("repos: [{repo: meta, hooks: []}]\n", "'repos' is not a list with one entry a line"),
    "no list": ("repos: yes\n", "it has no list 'repos'"),
    "a list alone": ("- repo: meta\n", "it has no list 'repos'"),
    "nothing": ("", "it has no list 'repos'"),
    "not YAML": ("repos: [\n", "it is not YAML: while parsing a flow node"),
    "a quoted key": ("'repos':\n- repo: meta\n", "there is not one line that starts with 'repos:'"),
    "repos in a text too": (
        "a: |\n repos:\nb: 'x\nrepos:'\nrepos:\n- repo: meta\n",
        "there is not one line that starts with 'repos:'",
    ),
    "a second document": (OTHER + "---\nrepos: []\n", "it is not YAML: expected a single document in the stream"),
}


@pytest.mark.parametrize(("before", "after"), TAKES_IT.values(), ids=TAKES_IT)
def test_the_entry_is_added(before: str, after: str) -> None:
    assert not has_entry(before)
    assert with_entry(before, ENTRY) == after
    assert has_entry(after)


@pytest.mark.parametrize(("before", "reason"), REFUSES.values(), ids=REFUSES)
def test_an_odd_file_is_left_to_people(before: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        with_entry(before, ENTRY)
    assert str(caught.value) == reason


def test_a_hook_by_another_repository_counts() -> None:
    assert has_entry("repos:\n- repo: https://example.org/split-ci\n  rev: v1\n  hooks:\n  - id: split-ci-check\n")
    assert not has_entry("repos:\n- repo: local\n  hooks:\n  - id: other  # split-ci-check\n")


def test_the_entry_is_what_pre_commit_reads() -> None:
    (repo,) = yaml.safe_load(ENTRY)
    published = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook.pop("language") == "system"
        assert hook.items() <= published.pop(hook["id"]).items()
    assert published == {}


def test_the_plain_hook_is_the_one_in_hooks() -> None:
    assert files("split_ci").joinpath("templates/pre-commit.sh").read_text() == (ROOT / "hooks/pre-commit").read_text()
