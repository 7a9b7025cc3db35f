"""`new --from` and `new --staged`: what is written, applied to its base by the real engine, is the change; the rest is refused by name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from split_ci.config import Config
from split_ci.edit import apply_exact
from split_ci.errors import Refused, UsageError
from split_ci.git import Repo
from split_ci.path_rules import Place
from split_ci.rules import judge
from split_ci.spec import Spec, parse_spec
from split_ci.steps import new
from tests.builders import commit, git, make_repo, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = "".join(f"line {n}\n" for n in range(30))
BINARY = b"\x89PNG\0\xff" * 20
OTHER = b"\0other\xfe" * 20


def from_head(root: Path, config: Config | None = None) -> Spec:
    """The spec of HEAD, after it was compared with HEAD's tree."""
    repo = Repo.find(str(root))
    written = new.from_commit(repo, "HEAD", config or Config())
    return compared(repo, written, repo.tree("HEAD").paths(), config or Config())


def compared(repo: Repo, written: new.Written, wanted: object, config: Config) -> Spec:
    parsed = parse_spec(written.data, f"specs/{written.id}.md")
    assert parsed.spec is not None
    spec = parsed.spec
    tree = repo.tree(written.base)
    judged = judge(spec, Place(tree, specs=config.specs, protected=config.protected), parsed.problems)
    assert judged.problems == ()
    made = apply_exact(spec.changes, tree, spec.path)
    result = dict(tree.paths())
    for path, file in made.files.items():
        result.pop(path, None)
        if file is not None:
            oid = git(repo_path(repo), "hash-object", "--stdin", "--no-filters", input=file.data)
            result[path] = type(next(iter(tree.paths().values())))(file.mode, oid)
    assert result == wanted
    assert spec.status == "ready"
    assert all(not criterion.guard and criterion.kind in ("blob", "missing") for criterion in spec.accept)
    return spec


def repo_path(repo: Repo) -> Path:
    from pathlib import Path

    return Path(repo.root)


def kinds(spec: Spec) -> str:
    return " ".join(type(change).__name__ for change in spec.changes)


BASE: dict[str, str | bytes] = {
    "a.txt": LINES, "b.txt": "b\n" * 5, "dir/c.txt": "c\n", "dir/d.txt": "d\n", "pic.png": BINARY, "pic2.png": OTHER, "run.sh": "#!/bin/sh\n",
    "crlf.txt": LINES.replace("\n", "\r\n"), "latin.txt": b"caf\xe9\nb\nc\nd\ne\nf\n", "empty": "", "last": "no newline",
}  # fmt: skip


def edit_many(root: Path) -> None:
    write(
        root,
        {
            "a.txt": LINES.replace("line 3\n", "three\n").replace("line 20\n", ""),
            "crlf.txt": LINES.replace("line 3\n", "3\n").replace("\n", "\r\n"),
        },
    )


def swap(root: Path, one: str, other: str) -> None:
    a, b = (root / one).read_bytes(), (root / other).read_bytes()
    write(root, {one: b, other: a})


def to_folder(root: Path) -> None:
    (root / "a.txt").unlink()
    write(root, {"a.txt/inner": "x\n"})


def to_file(root: Path) -> None:
    git(root, "rm", "-q", "-r", "dir")
    write(root, {"dir": "now a file\n"})


def rename_chain(root: Path) -> None:
    for source, target in (("pic2.png", "pic3.png"), ("pic.png", "pic2.png"), ("b.txt", "dir/b.txt"), ("a.txt", "b.txt")):
        os.rename(root / source, root / target)


def round_of_three(root: Path) -> None:
    write(root, {"third": b"\0third\xff"})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "a third")
    datas = [(root / name).read_bytes() for name in ("pic.png", "pic2.png", "third")]
    write(root, dict(zip(("pic2.png", "third", "pic.png"), datas, strict=True)))


def rename_and_edit(root: Path) -> None:
    (root / "a.txt").unlink()
    write(root, {"docs/renamed.txt": LINES.replace("line 7\n", "seven\n")})


def create_two(root: Path) -> None:
    write(root, {"new.sh": "x", "new/empty": ""})
    (root / "new.sh").chmod(0o755)


def no_more_binary(root: Path) -> None:
    swap(root, "pic.png", "pic2.png")
    (root / "pic2.png").unlink()


CHANGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("edits", edit_many, "Edit Edit"),
    ("created, executable, empty, no newline", create_two, "Create Create"),
    ("created with fences and marks", lambda r: write(r, {"x.md": "---\n```\n````\n## Changes\n<<<<<<< a\n \t\n\r\n\\n\n"}), "Create"),
    ("deleted, binary too", lambda r: git(r, "rm", "-q", "a.txt", "pic.png"), "Delete Delete"),
    ("moved, binary too", lambda r: git(r, "mv", "pic.png", "a.txt", "dir"), "Move Move"),
    ("moved and edited", rename_and_edit, "Move Edit"),
    ("a chain of moves", rename_chain, "Delete Move Move Edit Create"),
    ("the bit set", lambda r: (r / "run.sh").chmod(0o755), "Patch"),
    ("the bit set on a binary", lambda r: (r / "pic.png").chmod(0o755), "Patch"),
    ("two binaries swapped", lambda r: swap(r, "pic.png", "pic2.png"), "Move Move Move"),
    ("two texts swapped", lambda r: swap(r, "a.txt", "b.txt"), "Replace Edit"),
    ("three binaries in a round", round_of_three, "Move Move Move Move"),
    ("one binary over another", no_more_binary, "Delete Move"),
    ("a file becomes a folder", to_folder, "Delete Create"),
    ("a folder becomes a file", to_file, "Delete Delete Create"),
    ("emptied and filled", lambda r: write(r, {"a.txt": "", "empty": "x"}), "Replace Replace"),
    ("final newline", lambda r: write(r, {"last": "no newline\n", "a.txt": LINES[:-1]}), "Patch Replace"),
    ("text beside bytes that are none", lambda r: write(r, {"latin.txt": b"caf\xe9\nb\nc\nd\nE\nf\n"}), "Patch"),
    ("binary becomes text", lambda r: write(r, {"pic.png": "a text\n"}), "Delete Create"),
    ("line ends turned", lambda r: write(r, {"crlf.txt": LINES, "a.txt": LINES.replace("\n", "\r\n")}), "Replace Patch"),
    ("odd names", lambda r: write(r, {'we"ird `na`me é.txt': "x\n", "l ead": "x\n", "a to b": "x\n", "dir/#x": "y\n"}), "Create Create Create Create"),
    ("protected", lambda r: write(r, {".github/workflows/ci.yml": "on: push\n", "pyproject.toml": "[project]\n"}), "Create Create"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sections"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_commit_comes_out_byte_for_byte(change: Callable[[Path], object], sections: str, tmp_path: Path) -> None:
    make_repo(tmp_path, BASE)
    change(tmp_path)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "A change")
    assert kinds(from_head(tmp_path)) == sections


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_what_is_staged_comes_out_byte_for_byte(change: Callable[[Path], object], tmp_path: Path) -> None:
    make_repo(tmp_path, BASE)
    change(tmp_path)
    git(tmp_path, "add", "-A")
    write(tmp_path, {"not-staged.txt": "x\n", "later.txt": "only intended\n"})
    git(tmp_path, "add", "-N", "later.txt")
    before = (tmp_path / ".git" / "index").read_bytes()
    repo = Repo.find(str(tmp_path))
    compared(repo, new.from_index(repo, Config()), repo.index_tree().paths(), Config())
    assert (tmp_path / ".git" / "index").read_bytes() == before


def symlink(root: Path) -> None:
    (root / "link").symlink_to("a.txt")


def link_for_file(root: Path) -> None:
    (root / "a.txt").unlink()
    (root / "a.txt").symlink_to("b.txt")


def move_and_change(root: Path) -> None:
    write(root, {"dir/pic.png": BINARY + b"x"})
    (root / "pic.png").unlink()


def submodule(root: Path) -> None:
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{git(root, 'rev-parse', 'HEAD')},sub")


def odd_name(root: Path, name: str) -> None:
    blob = git(root, "hash-object", "-w", "--stdin", input=b"x\n")
    git(
        root,
        "-c",
        "core.protectNTFS=false",
        "update-index",
        "--add",
        "-z",
        "--index-info",
        input=f"100644 {blob}\t{name}\0".encode(),
    )


def twin_folder(root: Path) -> None:
    odd_name(root, "DIR/x")


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("binary content", lambda r: write(r, {"new.png": b"\0\x01"}), "new.png: binary content"),
    ("binary content changed", lambda r: write(r, {"pic.png": BINARY + b"x"}), "pic.png: binary content"),
    ("a binary moved and changed", move_and_change, "dir/pic.png: binary content"),
    ("a binary copied", lambda r: write(r, {"copy.png": BINARY}), "copy.png: binary content"),
    ("not utf-8", lambda r: write(r, {"new.txt": b"caf\xe9\n"}), "new.txt: text that is not UTF-8"),
    ("not utf-8 changed", lambda r: write(r, {"latin.txt": b"caf\xe8\nb\n"}), "latin.txt: text that is not UTF-8"),
    ("utf-16", lambda r: write(r, {"new.txt": "x\n".encode("utf-16")}), "new.txt: binary content"),
    ("a symlink", symlink, "link: a symlink"),
    ("a symlink for a file", link_for_file, "a.txt: a symlink"),
    ("a submodule", submodule, "sub: a submodule"),
    ("a newline in a name", lambda r: odd_name(r, "a\nb"), "a\\nb: this path holds a control character"),
    ("a backslash", lambda r: odd_name(r, "a\\b"), "a\\b: this path holds a backslash"),
    ("a spec", lambda r: write(r, {"specs/x.md": "x\n"}), "specs/x.md: specs, lessons and split-ci's configuration are out of reach for every spec"),
    ("the configuration", lambda r: write(r, {".split-ci.yaml": "forge: local\n"}), ".split-ci.yaml: specs, lessons and split-ci's"),
    ("case twins", lambda r: write(r, {"A.txt": "x\n"}), "can't be told from"),
    ("folders that are twins", twin_folder, "can't be told from"),
    ("two new twins", lambda r: write(r, {"New": "x\n", "new": "x\n"}), "can't be told from"),
    ("nothing", lambda r: None, "changes nothing: there is nothing that a spec could say"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_a_spec_cant_say_is_refused_by_name(change: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make_repo(tmp_path, BASE)
    if change is not submodule:
        change(tmp_path)
        if not git(tmp_path, "diff", "--cached", "--name-only"):
            git(tmp_path, "add", "-A")
    else:
        change(tmp_path)
    repo = Repo.find(str(tmp_path))
    with pytest.raises(Refused) as staged:
        new.from_index(repo, Config())
    assert said in staged.value.message
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "refused")
    with pytest.raises(Refused) as committed:
        new.from_commit(repo, "HEAD", Config())
    assert said in committed.value.message
    assert "\n" not in committed.value.message


def test_a_removed_symlink_and_submodule_are_refused(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    symlink(tmp_path)
    submodule(tmp_path)
    git(tmp_path, "add", "link")
    git(tmp_path, "commit", "-q", "-m", "links")
    git(tmp_path, "rm", "-q", "--cached", "link", "sub")
    git(tmp_path, "commit", "-q", "-m", "gone")
    with pytest.raises(Refused, match="link: a symlink; sub: a submodule"):
        new.from_commit(Repo.find(str(tmp_path)), "HEAD", Config())


def test_many_faults_are_counted(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    commit(tmp_path, {f"{n}.bin": b"\0" for n in range(9)})
    with pytest.raises(Refused, match=r"0.bin: binary content; .*; 4.bin: binary content; and 4 more"):
        new.from_commit(Repo.find(str(tmp_path)), "HEAD", Config())


def test_merges_first_commits_and_names_that_are_none(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    repo = Repo.find(str(tmp_path))
    with pytest.raises(Refused, match="is a first commit: it has no parent to start from"):
        new.from_commit(repo, "HEAD", Config())
    git(tmp_path, "checkout", "-q", "-b", "side")
    commit(tmp_path, {"b": "b\n"})
    git(tmp_path, "checkout", "-q", "main")
    commit(tmp_path, {"c": "c\n"})
    git(tmp_path, "merge", "-q", "--no-edit", "side")
    with pytest.raises(Refused, match="is a merge"):
        new.from_commit(repo, "HEAD", Config())
    for rev in ("nope", "--all", "HEAD\n", ""):
        with pytest.raises(UsageError, match="no commit is named"):
            new.from_commit(repo, rev, Config())


def test_nothing_is_staged_on_an_unborn_branch_or_in_a_conflict(tmp_path: Path) -> None:
    make_repo(tmp_path)
    write(tmp_path, {"a": "a\n"})
    git(tmp_path, "add", "a")
    with pytest.raises(Refused, match="there is no commit yet"):
        new.from_index(Repo.find(str(tmp_path)), Config())
    git(tmp_path, "commit", "-q", "-m", "a")
    blob = git(tmp_path, "rev-parse", "HEAD:a")
    git(
        tmp_path, "update-index", "--index-info", input=f"0 {'0' * 40}\ta\n100644 {blob} 1\ta\n100644 {blob} 2\ta\n".encode()
    )
    with pytest.raises(Refused, match="a: a conflict that is not resolved"):
        new.from_index(Repo.find(str(tmp_path)), Config())


def test_a_hooks_index_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    (tmp_path / ".git" / "other").write_bytes((tmp_path / ".git" / "index").read_bytes())
    write(tmp_path, {"a": "changed\n"})
    git(tmp_path, "add", "a", env={"GIT_INDEX_FILE": ".git/other"})
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/other")
    written = new.from_index(Repo.find(str(tmp_path)), Config())
    assert written.title == "Change a"


MESSAGE = """\
Fix the "loader": don't # crash \u200b on 12:30, and say so in many more words than fit into a title

## Changes

### Delete `a`

```
never closed
<!-- nor this
---
Signed-off-by: Ada <ada@example.org>
"""


def test_a_message_is_told_and_never_obeyed(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    commit(tmp_path, {"a": "b\n"}, message=MESSAGE)
    spec = from_head(tmp_path)
    assert spec.title == 'Fix the "loader": don\'t # crash on 12:30, and say so in many more…'
    assert spec.id == "fix-the-loader-dont-crash-on-12-30-and-say-so-in"
    assert kinds(spec) == "Edit"
    assert "### Delete `a`" in spec.why
    assert spec.why.startswith("Reproduces commit `")


def test_a_message_in_another_encoding_and_one_that_is_empty(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    write(tmp_path, {"a": "b\n"})
    git(tmp_path, "add", "a")
    git(
        tmp_path,
        "-c",
        "i18n.commitEncoding=ISO-8859-1",
        "commit",
        "-q",
        "-F",
        "-",
        input="Fix caf\u00e9\n".encode("latin-1"),
    )
    assert from_head(tmp_path).title == "Fix café"
    write(tmp_path, {"a": "c\n"})
    git(tmp_path, "commit", "-q", "-a", "--allow-empty-message", "-m", "")
    assert from_head(tmp_path).title.startswith("Commit ")


def test_protected_paths_get_their_line_and_judgements_are_waived(tmp_path: Path) -> None:
    make_repo(tmp_path, {"docs/a": "a\n", "pyproject.toml": "[project]\n"})
    key = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    commit(
        tmp_path,
        {
            "docs/a": "a\n# ... rest unchanged ...\n",
            "pyproject.toml": "[tool]\n",
            "k.py": f'aws_key = "{key}"\n',
            "z": "a\u202eb\n",
        },
    )
    spec = from_head(tmp_path, Config(protected=("docs/**",)))
    assert spec.protected == ("docs/a", "pyproject.toml")
    assert set(spec.waive) >= {"SP411", "SP413"}


def test_the_specs_folder_is_the_configurations(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    commit(tmp_path, {"specs/x.md": "x\n"})
    assert kinds(from_head(tmp_path, Config(specs="plans"))) == "Create"
    commit(tmp_path, {"plans/x.md": "x\n"})
    with pytest.raises(Refused, match=r"plans/x.md: specs, lessons"):
        new.from_commit(Repo.find(str(tmp_path)), "HEAD", Config(specs="plans"))


def test_the_users_settings_change_nothing(tmp_path: Path) -> None:
    make_repo(tmp_path, BASE)
    commit(tmp_path, {".gitattributes": "*.txt -diff\n*.md diff=x\n"})
    for key, value in (
        ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"), ("diff.context", "0"), ("diff.renames", "false"), ("color.ui", "always"),
        ("diff.external", "false"), ("diff.x.textconv", "false"), ("core.quotePath", "true"), ("diff.suppressBlankEmpty", "true"),
        ("diff.algorithm", "patience"), ("log.showSignature", "true"), ("format.pretty", "oneline"), ("diff.orderFile", "nope"),
    ):  # fmt: skip
        git(tmp_path, "config", key, value)
    write(tmp_path, {"a.txt": LINES.replace("line 3\n", "three\n"), "é.txt": "x\n"})
    os.rename(tmp_path / "b.txt", tmp_path / "dir/é.txt")
    git(tmp_path, "config", "--unset", "diff.orderFile")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "A change")
    assert kinds(from_head(tmp_path)) == "Move Edit Create"


def test_a_secret_of_thousand_files_keeps_the_front_matter_small(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    commit(tmp_path, {f"some/folder/of/files/number-{n}.txt": f"{n}\n" for n in range(1000)})
    spec = from_head(tmp_path)
    assert len(spec.changes) == 1000
    assert 300 < len(spec.accept) < 1000


def test_a_spec_over_the_limit_is_refused(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": "a\n"})
    commit(tmp_path, {"big": "x" * 5_000_000 + "\n", "bigger": "y" * 5_000_000 + "\n"})
    with pytest.raises(Refused, match=r"its spec would have 10,\d\d\d,\d\d\d bytes: at most 8,388,608"):
        new.from_commit(Repo.find(str(tmp_path)), "HEAD", Config())


def test_a_repository_with_sha256(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256")
    commit(tmp_path, {"a.txt": LINES})
    commit(tmp_path, {"a.txt": LINES.replace("line 3\n", "three\n"), "b": "b\n"})
    assert [len(criterion.blob or "") for criterion in from_head(tmp_path).accept] == [64, 64]


def test_a_draft_is_read_and_says_what_to_fill_in() -> None:
    written = new.draft('  Fold "two": loaders ', None)
    assert written.id == "fold-two-loaders"
    spec = parse_spec(written.data, f"specs/{written.id}.md").spec
    assert spec is not None
    assert (spec.title, spec.status) == ('Fold "two": loaders', "draft")
    assert new.draft("x", "other").id == "other"
    for title in ("", "  ", "a\nb", "x" * 73):
        with pytest.raises(UsageError, match="title"):
            new.draft(title, None)


def test_the_template_is_a_spec_with_every_verb() -> None:
    from importlib.resources import files

    parsed = parse_spec((files("split_ci") / "templates" / "TEMPLATE.md").read_bytes(), "specs/template-copy.md")
    assert parsed.problems == ()
    assert parsed.spec is not None
    assert {type(change).__name__ for change in parsed.spec.changes} == {
        "Edit",
        "Create",
        "Replace",
        "Delete",
        "Move",
        "Patch",
        "Instruct",
    }
    assert {criterion.kind for criterion in parsed.spec.accept} == {"run", "missing", "exists", "lacks", "contains"}


def test_what_still_names_a_gone_file_is_waived(tmp_path: Path) -> None:
    make_repo(tmp_path, {"tools/old.sh": "x\n", "Makefile.in": "all:\n\tsh tools/old.sh\n", "other.sh": "x\n"})
    git(tmp_path, "rm", "-q", "tools/old.sh")
    git(tmp_path, "commit", "-q", "-m", "Drop the old tool")
    assert from_head(tmp_path).waive == ("SP415",)
    git(tmp_path, "rm", "-q", "other.sh")
    git(tmp_path, "commit", "-q", "-m", "Drop another that nothing names")
    assert from_head(tmp_path).waive == ()
