"""What is handed from job to job is believed by nobody: `gate` and `publish` on files that somebody tampered with."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import commit, git, make_repo, spec, split_ci
from tests.invariants import untouched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Value = dict[str, Any]

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\n{}\n```\n"
FILES = {
    "a.txt": "one\n",
    "specs/one.md": spec(
        EDIT.format("uno"), accept="  - contains: {in: a.txt, text: uno}\n  - lacks: {in: a.txt, text: one}"
    ),
    "specs/two.md": spec("### Create `b.txt`\n```\nb\n```\n", accept="  - exists: b.txt"),
}


class Work:
    """A repository, and the files of one result beside it."""

    def __init__(self, root: Path) -> None:
        self.folder = root
        self.repo = make_repo(root / "r", FILES)
        self.later = commit(self.repo, {"later.txt": "later\n"})
        for name in ("one", "two"):
            split_ci(self.repo, "implement", name, "--base", "HEAD", "--out", f"../{name}.json")
            split_ci(self.repo, "accept", f"../{name}.json", "--out", f"../{name}.results.json")
        split_ci(self.repo, "implement", "one", "--base", "HEAD~1", "--out", "../early.json")

    def value(self, name: str) -> Value:
        return dict(json.loads((self.folder / name).read_text()))

    def put(self, value: Value, name: str = "tampered.json") -> str:
        (self.folder / name).write_text(json.dumps(value, sort_keys=True, separators=(",", ":")))
        return f"../{name}"

    def blob(self, path: str) -> str:
        return git(self.repo, "rev-parse", f"HEAD:{path}")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(tmp_path_factory.mktemp("work"))


def with_change(value: Value, **fields: Any) -> Value:
    changes = [
        {**one, **fields} if "path" not in fields or one["path"] == fields["path"] else one for one in value["changes"]
    ]
    return {**value, "changes": changes}


def one_more(value: Value, path: str, text: str = "evil\n", by: str = "exact", mode: str = "100644") -> Value:
    new = {"path": path, "by": by, "was": None, "mode": mode, "text": text}
    return {**value, "changes": sorted([*value["changes"], new], key=lambda one: one["path"])}


TAMPERED: dict[str, tuple[Callable[[Work, Value], Value], str]] = {
    "another spec": (
        lambda w, v: {**v, "spec": {"text": FILES["specs/two.md"]}},
        "rule digest: the spec inside of the changeset is not the one that its digest names"),
    "another digest": (
        lambda w, v: {**v, "digest": "0" * 64},
        "rule digest: the spec inside of the changeset is not the one that its digest names"),
    "a spec of the author's own": (
        lambda w, v: {**v, "spec": {"text": "x"}, "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
        "rule digest: the changeset was made for another text of this spec (2d711642b726)"),
    "another id": (
        lambda w, v: {**v, "id": "two"}, "rule digest: the changeset was made for another text of this spec"),
    "an id that nobody has": (
        lambda w, v: {**v, "id": "three", "spec_path": "specs/three.md"}, "rule spec: the base holds no such spec"),
    "another base": (
        lambda w, v: {**v, "base": "a" * 40}, "rule base: no commit that this repository holds"),
    "another exact part": (lambda w, v: with_change(v, text="evil\n"), "a.txt: rule exact: the spec's exact sections"),
    "one file more": (lambda w, v: one_more(v, "evil.txt"), "evil.txt: rule exact: the spec's exact sections"),
    "one file more, by a model": (
        lambda w, v: one_more(v, "evil.txt", by="model"), "evil.txt: rule scope: no Instruct section names it"),
    "nothing": (lambda w, v: {**v, "changes": []}, "a.txt: rule exact: the spec's exact sections change it"),
    "the work of an outcome that failed": (
        lambda w, v: {**v, "outcome": {"name": "failed", "reason": "gave up"}}, "one: failed: gave up"),
}  # fmt: skip
UNREADABLE: dict[str, tuple[Callable[[Work, Value], str], str]] = {
    "a way out": (lambda w, v: w.put(one_more(v, "../evil")), "path '../evil' "),
    "an absolute path": (lambda w, v: w.put(one_more(v, "/etc/passwd")), "path '/etc/passwd' "),
    "git's own folder": (lambda w, v: w.put(one_more(v, ".git/hooks/post-checkout")), "path '.git/hooks/post-checkout' "),
    "a link": (lambda w, v: w.put(one_more(v, "n", mode="120000")), "the mode 120000 is not one of"),
    "a submodule": (lambda w, v: w.put(one_more(v, "n", mode="160000")), "the mode 160000 is not one of"),
    "a path twice": (lambda w, v: w.put(one_more(v, "a.txt")), "a.txt is there twice"),
    "a key that nobody knows": (lambda w, v: w.put({**v, "sudo": True}), "sudo"),
    "a key less": (lambda w, v: w.put({key: v[key] for key in v if key != "base"}), "base is missing"),
    "another kind": (lambda w, v: w.put({**v, "kind": "results"}), "kind must be"),
    "a key twice": (
        lambda w, v: raw(w, json.dumps(v).replace("{", '{"id":"two",', 1).encode()), "not JSON: the key 'id' is there twice"),
    "half of it": (lambda w, v: raw(w, json.dumps(v)[:300].encode()), "not JSON: "),
    "a deep nest": (lambda w, v: raw(w, b'{"a":' * 100_000), "nested too deeply"),
    "no text": (lambda w, v: raw(w, b"\xff\xfe"), "not UTF-8 at byte 0"),
    "a claim of 33 MB in one file": (
        lambda w, v: w.put(with_change(v, text="x" * (33 << 20))), "text must be at most 33554432 characters long"),
    "200 MB": (lambda w, v: sparse(w, 200 << 20), "tampered.json: more than 201326592 bytes"),
    "a hundred million values": (lambda w, v: raw(w, b'{"a":[' + b"[]," * (12 << 20) + b"[]]}"), "more than 2000000 values"),
    "a symbolic link": (lambda w, v: linked(w), "tampered.json: a symbolic link, not a file"),
}  # fmt: skip


def raw(work: Work, data: bytes) -> str:
    (work.folder / "tampered.json").write_bytes(data)
    return "../tampered.json"


def sparse(work: Work, size: int) -> str:
    raw(work, b"")
    os.truncate(work.folder / "tampered.json", size)
    return "../tampered.json"


def linked(work: Work) -> str:
    (work.folder / "tampered.json").symlink_to("one.json")
    return "../tampered.json"


@pytest.fixture(autouse=True)
def _gone(work: Work) -> None:
    (work.folder / "tampered.json").unlink(missing_ok=True)


def refs(repo: Path) -> str:
    return git(repo, "for-each-ref")


def refused(work: Work, path: str, said: str, *, on: str) -> None:
    """By `gate`, and by `publish` even with the real results; nothing is made visible, and it is one line."""
    before = refs(work.repo)
    with untouched(work.repo):
        gate = split_ci(work.repo, "gate", path, code=1)
        publish = split_ci(work.repo, "publish", path, "--accept", "../one.results.json", code=1)
    for done in (gate, publish):
        text = getattr(done, on)
        assert said in text
        assert len(text.strip().splitlines()) <= 2
        assert "Traceback" not in done.stderr
    assert refs(work.repo) == before


def test_what_is_as_the_spec_says_goes_through(work: Work) -> None:
    before = refs(work.repo)
    with untouched(work.repo):
        done = split_ci(work.repo, "gate", "../one.json", "--base", "HEAD")
        told = json.loads(split_ci(work.repo, "gate", "../one.json", "--format", "json").stdout)
    assert done.stdout == f"one: 1 paths on {work.later[:12]} are as the spec lets them be\n"
    assert (told["id"], told["ok"], told["outcome"], told["base"], told["paths"]) == (
        "one",
        True,
        "done",
        work.later,
        ["a.txt"],
    )
    assert git(work.repo, "rev-parse", "--quiet", "--verify", "HEAD") == work.later
    assert refs(work.repo) == before


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_with(work: Work, name: str) -> None:
    change, said = TAMPERED[name]
    refused(work, work.put(change(work, work.value("one.json"))), said, on="stdout")


@pytest.mark.parametrize("name", UNREADABLE)
def test_no_changeset(work: Work, name: str) -> None:
    change, said = UNREADABLE[name]
    refused(work, change(work, work.value("one.json")), said, on="stderr")


@pytest.mark.parametrize("command", [("gate",), ("publish", "--accept", "../one.results.json")])
def test_it_is_made_for_the_commit_that_the_caller_names(work: Work, command: tuple[str, ...]) -> None:
    name, *more = command
    done = split_ci(work.repo, name, "../early.json", *more, "--base", "HEAD", code=1)
    assert done.stderr.startswith("split-ci: error: one: rule base: the changeset is made for ")
    assert split_ci(work.repo, "gate", "../early.json", "--base", "HEAD~1").returncode == 0


def test_a_file_that_is_not_there(work: Work) -> None:
    assert split_ci(work.repo, "gate", "../none.json", code=2).stderr == "split-ci: error: ../none.json: no such file\n"


def test_a_spec_that_the_base_lacks_must_be_given(work: Work, tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(spec("### Create `own.txt`\n```\nx\n```\n", accept="  - exists: own.txt"))
    split_ci(work.repo, "implement", str(tmp_path / "own.md"), "--base", "HEAD", "--out", str(tmp_path / "own.json"))
    done = split_ci(work.repo, "gate", str(tmp_path / "own.json"), code=1)
    assert "specs/own.md: rule spec: the base holds no such spec, and none was given with `--spec`" in done.stdout
    split_ci(work.repo, "gate", str(tmp_path / "own.json"), "--spec", str(tmp_path / "own.md"))
