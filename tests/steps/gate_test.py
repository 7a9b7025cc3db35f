from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.changeset import Changed
from split_ci.config import Config
from split_ci.ports import File, Outcome
from tests.builders import git, make_repo, spec
from tests.invariants import untouched
from tests.results_of import exact, gated, with_change

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from split_ci.changeset import Changeset

    Make = Callable[[Path, Changeset], Changeset]

EDIT = "### Edit `a.txt`\nBefore:\n```\ntwo\n```\nAfter:\n```\nTWO\n```\n\n### Delete `old.txt`\n"
INSTRUCT = "### Edit `a.txt`\nBefore:\n```\ntwo\n```\nAfter:\n```\nTWO\n```\n\n### Instruct `docs/x.md`\nSay hello.\n"
BASE = {
    "a.txt": "one\ntwo\n", "old.txt": "old\n", "docs/x.md": "hi\n", "docs/y.md": "y\n", "tests/t.sh": "true\n",
    "Makefile": "all:\n", "Read.me": "x\n", "specs/e.md": spec(EDIT), "deep/file": "f\n",
    "specs/m.md": spec(INSTRUCT, extra='allow: ["docs/**", "tests/**", "Makefile"]\n', accept="  - run: sh tests/t.sh\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = make_repo(tmp_path_factory.mktemp("gate") / "r", BASE)
    (repo / "link").symlink_to("docs")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "link")
    return repo


def blob(repo: Path, path: str) -> str:
    return git(repo, "rev-parse", f"HEAD:{path}")


def model(repo: Path, path: str, data: bytes | None = b"new\n", mode: str = "100644", *, new: bool = False) -> Changed:
    return Changed(path, None if data is None else File(data, mode), None if new else blob(repo, path), "model")


def test_what_is_as_the_spec_says_goes_through(repo: Path) -> None:
    with untouched(repo):
        one = gated(repo, exact(repo, "e"))
        other = gated(repo, with_change(exact(repo, "m"), model(repo, "docs/x.md"), model(repo, "docs/new.md", new=True)))
    assert (one.refusal, other.refusal) == (None, None)
    assert one.built
    assert other.built


EXACT_FAULTS: dict[str, tuple[Make, str]] = {
    "another digest": (
        lambda _, c: c._replace(digest="1" * 64), "specs/e.md: rule digest: the spec inside of the changeset is not the one"),
    "another spec": (lambda _, c: c._replace(spec=b"x"), "specs/e.md: rule digest: the spec inside of the changeset"),
    "another place for the spec": (
        lambda _, c: c._replace(spec_path="docs/e.md"), "docs/e.md: rule spec-path: the spec of e lies at specs/e.md"),
    "a base that is not there": (lambda _, c: c._replace(base="a" * 40), "a" * 40 + ": rule base: no commit"),
    "a parent that is not there": (lambda _, c: c._replace(parent="a" * 40), "a" * 40 + ": rule parent: no commit"),
    "other text": (
        lambda r, c: with_change(c, Changed("a.txt", File(b"evil\n"), blob(r, "a.txt"))),
        "a.txt: rule exact: the spec's exact sections don't make this of the base"),
    "another mode": (
        lambda r, c: with_change(c, Changed("a.txt", File(b"one\nTWO\n", "100755"), blob(r, "a.txt"))), "a.txt: rule exact"),
    "one more": (
        lambda r, c: with_change(c, Changed("docs/y.md", File(b"z\n"), blob(r, "docs/y.md"))), "docs/y.md: rule exact"),
    "one less": (
        lambda _, c: c._replace(changes=c.changes[:1]),
        "old.txt: rule exact: the spec's exact sections change it, and the changeset doesn't"),
    "stale": (
        lambda _, c: with_change(c, c.changes[0]._replace(was="b" * 40)),
        "a.txt: rule was: it was written against " + "b" * 40),
    "the model on an exact path": (
        lambda _, c: with_change(c, c.changes[0]._replace(by="model")),
        "a.txt: rule frozen: exact sections wrote it, and a model changed it"),
    "a spec": (
        lambda r, c: with_change(c, Changed("specs/m.md", None, blob(r, "specs/m.md"))), "specs/m.md: rule out-of-reach"),
    "the configuration": (
        lambda _, c: with_change(c, Changed(".split-ci.yaml", File(b""), None)), ".split-ci.yaml: rule out-of-reach"),
    "git's folder": (lambda _, c: with_change(c, Changed(".g\u200cit/config", File(b""), None)), "rule path: it "),
    "a way out": (lambda _, c: with_change(c, Changed("../x", File(b""), None)), "'../x': rule path: it "),
    "below a link": (
        lambda _, c: with_change(c, Changed("link/x", File(b""), None)), "link/x: rule way: link is no folder in the base"),
    "a link": (
        lambda r, c: with_change(c, Changed("link", File(b""), blob(r, "link"))), "link: rule type: it is a symlink"),
    "a link's mode": (
        lambda _, c: with_change(c, Changed("n", File(b"/etc", "120000"), None)), "n: rule mode: 120000 is not one of"),
    "below a file": (lambda _, c: with_change(c, Changed("a.txt/x", File(b""), None)), "a.txt/x: rule way: a.txt is no folder"),
    "a folder": (lambda _, c: with_change(c, Changed("deep", File(b""), None)), "deep/file: rule tree: it differs from the base"),
    "a twin": (
        lambda _, c: with_change(c, Changed("READ.ME", File(b""), None)),
        "READ.ME: rule twins: some file systems can't tell it from Read.me of the base"),
    "a folder's twin": (lambda _, c: with_change(c, Changed("Docs/z", File(b""), None)), "Docs/z: rule twins"),
    "two twins": (
        lambda _, c: with_change(c, Changed("N/a", File(b""), None), Changed("n/b", File(b""), None)),
        "n: rule twins: some file systems can't tell it from N"),
    "gone twice": (
        lambda _, c: with_change(c, Changed("no", None, None)), "no: rule deletion: the base holds no such file"),
}  # fmt: skip

MODEL_FAULTS: dict[str, tuple[Make, str]] = {
    "outside": (
        lambda r, c: with_change(c, model(r, "old.txt")),
        "old.txt: rule scope: no Instruct section names it and `allow` doesn't cover it"),
    "what a criterion runs": (
        lambda r, c: with_change(c, model(r, "tests/t.sh")), "tests/t.sh: rule frozen: a model may not change it"),
    "protected": (
        lambda r, c: with_change(c, model(r, "Makefile")), "Makefile: rule protected"),
    "adapted where nothing drifted": (
        lambda r, c: with_change(c, model(r, "docs/x.md")._replace(by="adapted")), "docs/x.md: rule adapted: no edit of it has"),
    "the executable bit": (
        lambda r, c: with_change(c, model(r, "docs/x.md", mode="100755")),
        "docs/x.md: rule mode: a model doesn't change the executable bit"),
    "a new program": (
        lambda r, c: with_change(c, model(r, "docs/n", mode="100755", new=True)), "docs/n: rule mode"),
    "hidden characters": (
        lambda r, c: with_change(c, model(r, "docs/x.md", "a\nb\u202ec\n".encode())),
        "docs/x.md:2: rule invisible: U+202E RIGHT-TO-LEFT OVERRIDE"),
    "no text": (lambda r, c: with_change(c, model(r, "docs/x.md", b"\xff")), "docs/x.md: rule text: not UTF-8"),
    "too much": (
        lambda r, c: with_change(c, model(r, "docs/x.md", b"x" * 2_100_000)), "docs/x.md: rule size: 2100000 bytes"),
    "too many": (
        lambda r, c: with_change(c, *(model(r, f"docs/n{n}", new=True) for n in range(401))),
        "m: rule size: a model changed 401 files, the cap is 400"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT_FAULTS)
def test_faults_of_the_exact_part(repo: Path, name: str) -> None:
    change, said = EXACT_FAULTS[name]
    refusal = gated(repo, change(repo, exact(repo, "e"))).refusal
    assert refusal
    assert (refusal.name, said in refusal.reason) == ("refused", True), refusal.reason


@pytest.mark.parametrize("name", MODEL_FAULTS)
def test_faults_of_a_model(repo: Path, name: str) -> None:
    change, said = MODEL_FAULTS[name]
    one = gated(repo, change(repo, exact(repo, "m")))
    assert one.refusal
    assert (one.refusal.name, said in one.refusal.reason) == ("refused", True), one.refusal.reason
    assert one.built  # its paths are safe: what was paid for can be kept


def test_the_configuration_adds_protected_paths(repo: Path) -> None:
    refusal = gated(repo, exact(repo, "e"), Config(protected=("*.txt",))).refusal
    assert refusal == Outcome("refused", "a.txt: rule protected: the spec's front matter doesn't name it under `protected`")


def test_an_outcome_that_is_not_done_is_kept(repo: Path) -> None:
    outcome = Outcome("over-limit", "3 rounds are over")
    assert gated(repo, exact(repo, "e")._replace(outcome=outcome)).refusal == outcome


def test_a_spec_that_nobody_vouches_for(repo: Path) -> None:
    one = exact(repo, "e")._replace(id="other", spec_path="specs/other.md")
    refusal = gated(repo, one).refusal
    assert refusal
    assert refusal.reason == "specs/other.md: rule spec: the base holds no such spec, and none was given with `--spec`"
