from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from split_ci.paths import fold, matches, out_of_reach, path_fault, protected, select
from split_ci.protection import PROTECTED, Shapes

GIT = "names git's own folder"
REFUSED = {
    "empty": ("", "is empty"),
    "absolute": ("/etc/passwd", "is absolute"),
    "home": ("~/x", "begins with a home folder"),
    "drive": ("C:x", "begins with a drive letter"),
    "drive and backslash": ("C:\\x", "begins with a drive letter"),
    "share": ("\\\\srv\\x", "holds a backslash"),
    "dot": ("./x", "holds the component `.`"),
    "dots": ("a/../../x", "holds the component `..`"),
    "three dots": ("a/.../x", "holds the component `...`"),
    "double slash": ("a//b", "ends in a slash, or has two of them in a row"),
    "trailing slash": ("a/", "ends in a slash, or has two of them in a row"),
    "newline": ("a\nb", "holds a control character"),
    "delete": ("a\x7fb", "holds a control character"),
    "c1": ("a\x9bb", "holds an invisible character"),
    "zero width": ("a\u200bb", "holds an invisible character"),
    "hangul filler": ("a\u3164", "holds an invisible character"),
    "braille blank": ("a\u2800", "holds an invisible character"),
    "tag": ("a\U000e0041", "holds an invisible character"),
    "right to left": ("a\u202etxt.py", "holds an invisible character"),
    "not utf-8": ("a\udcff", "is not UTF-8"),
    "git": (".git/config", GIT),
    "git below": ("sub/.git/hooks/pre-commit", GIT),
    "git in capitals": (".GIT/config", GIT),
    "git with a dot": (".git./config", GIT),
    "git with a blank": (".git /config", GIT),
    "git with a stream": (".git::$INDEX_ALLOCATION/config", GIT),
    "git's short name": ("git~1/config", GIT),
    "git's short name in capitals": ("GIT~12/config", GIT),
    "git with a dotless i": (".g\u0131t/config", GIT),
    "git full width": ("\uff0e\uff47\uff49\uff54/config", GIT),
    "git ignorable": (".g\u200cit/config", "holds an invisible character"),
    "short name": ("GITMOD~1", "is a short name of NTFS"),
    "short name with extension": ("PYPROJ~1.TOM", "is a short name of NTFS"),
    "stream": ("a.txt:$DATA", "names a stream of a file"),
    "blank at the end": ("a /b", "holds a blank at the edge of a component"),
    "device": ("src/CON", "names a device of Windows"),
    "device with extension": ("aux.c", "names a device of Windows"),
    "long name": ("x" * 256, "holds a component of more than 255 bytes"),
    "long name in bytes": ("é" * 128, "holds a component of more than 255 bytes"),
    "long path": ("a/" * 2048 + "b", "is longer than 4096 bytes"),
}
FINE = ["a", "src/a.py", "a b/c d.txt", "-x", "@{", "日本/語.txt", "café", "cafe\u0301", ".github/x", ".gitignore", "git", "a..b", "~x", "a~",
        "x.py.~1~", "x" * 255, "aux-file.c", "console.py", "ab:c"]  # fmt: skip


@pytest.mark.parametrize(("path", "said"), REFUSED.values(), ids=REFUSED)
def test_a_path_that_may_not_be_used(path: str, said: str) -> None:
    assert path_fault(path) == said


@pytest.mark.parametrize("path", FINE)
def test_a_path_that_may_be_used(path: str) -> None:
    assert path_fault(path) is None


@given(st.text(max_size=40))
def test_no_text_makes_the_validator_fail(path: str) -> None:
    fault = path_fault(path)
    assert fault is None or fault
    if fault is None:
        assert not any(part.lower() in ("", ".", "..", ".git") for part in path.split("/"))


TWINS = [("README", "readme"), ("café", "cafe\u0301"), ("Straße", "STRASSE"), ("a.", "a"), ("d. /x", "d/x"), ("ﬁle", "file")]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_twins_fall_together(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_others_do_not_fall_together() -> None:
    names = ["a", "b", "a/b", "a.b", "ab", "é", "e", "a_b", "a-b", ".a"]
    assert len({fold(name) for name in names}) == len(names)


GLOBS = [
    ("**", "a/b", True), ("a/**", "a/b/c", True), ("a/**", "a", False), ("**/x", "x", True), ("**/x", "a/b/x", True),
    ("**/x", "ax", False), ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b", True), ("a/**/b/**/c", "a/b/q/b/c", True),
    ("*.py", "a/b.py", False), ("**/*.py", "a/b.py", True), ("**/**/x", "q/x", True), ("[!a]b", "cb", True), ("[!a]b", "ab", False),
    ("[a-c]x", "bx", True), ("[]a]", "]", True), ("a[", "a[", True), ("a/*/c", "a/b/c", True), ("*a*b", "xxaxb", True),
    ("*a*b", "xxaxbc", False), ("**/a/**", "q/a/z", True), ("?", "/", False), ("[!x]", "/", False), ("a.b", "axb", False),
    (".*", ".x", True), ("*", ".x", True), ("*", "a\nb", True), ("A", "a", False), ("app/[id].js", "app/[id].js", True),
    ("app/[id].js", "app/i.js", True), ("app/[[]id].js", "app/[id].js", True), ("app/[[]id].js", "app/i.js", False),
]  # fmt: skip


@pytest.mark.parametrize(("glob", "path", "wanted"), GLOBS)
def test_globs(glob: str, path: str, wanted: bool) -> None:
    assert matches(glob, path) is wanted


@given(st.text("ab*?[]!-", max_size=8), st.text("ab-]!", max_size=6))
def test_within_a_name_globs_are_those_of_the_shell(glob: str, name: str) -> None:
    if "**" not in glob and glob and name:
        assert matches(glob, name) == fnmatch.fnmatchcase(name, glob)


def test_no_glob_takes_ages() -> None:
    assert not matches("*a" * 60 + "b", "a" * 250)
    assert not matches("**/a/" * 60 + "b", "a/" * 2000 + "c")


def test_select_keeps_the_order_of_the_paths() -> None:
    assert select(["**/*.py", "b"], ["c.py", "b", "a.txt", "a/a.py"]) == ["c.py", "b", "a/a.py"]


NEEDS_A_LINE = [
    "CLAUDE.md",
    "claude.md",
    "x/AGENTS.md",
    "GEMINI.md",
    ".claude/settings.json",
    "sub/.claude/x",
    ".mcp.json",
    ".cursor/rules/a.mdc",
    ".cursorrules",
    ".goosehints",
    ".aider.conf.yml",
    ".github/workflows/ci.yml",
    ".GitHub/x",
    ".github/CODEOWNERS",
    "docs/CODEOWNERS",
    "a/.gitattributes",
    ".gitmodules",
    ".lfsconfig",
    ".mailmap",
    ".pre-commit-config.yaml",
    ".husky/pre-commit",
    ".vscode/tasks.json",
    ".idea/x",
    "conftest.py",
    "pyproject.toml",
    "sub/pyproject.toml",
    "setup.py",
    "setup.cfg",
    "tox.ini",
    "noxfile.py",
    "pytest.ini",
    "pip.conf",
    "requirements.txt",
    "requirements-dev.txt",
    "package.json",
    "web/package.json",
    ".npmrc",
    "package-lock.json",
    "uv.lock",
    "Cargo.toml",
    "go.mod",
    "go.sum",
    "Gemfile",
    "Makefile",
    "sub/Makefile",
    "rules.mk",
    "Dockerfile",
    "Dockerfile.prod",
    "docker-compose.prod.yaml",
    "Taskfile.yml",
    ".envrc",
    ".env",
    "x.pth",
    "sitecustomize.py",
    "tsconfig.json",
    "tsconfig.build.json",
    ".eslintrc.json",
]
NEEDS_NONE = [
    "src/a.py",
    "tests/conftest.py",
    "docs/intro.md",
    "hooks/x",
    "app/tasks.py",
    "skills/x/SKILL.md",
    "github/x",
    "make.py",
    "README.md",
    "envrc",
    "claude/x",
]


@pytest.mark.parametrize("path", NEEDS_A_LINE)
def test_protected(path: str) -> None:
    assert protected(path)


@pytest.mark.parametrize("path", NEEDS_NONE)
def test_not_protected(path: str) -> None:
    assert not protected(path)


def test_the_configuration_adds_to_the_list_and_takes_nothing_away() -> None:
    assert protected("db/Schema.SQL", ["db/**"])
    assert protected("Makefile", ["db/**"])


@pytest.mark.parametrize("glob", PROTECTED)
def test_the_quick_list_and_the_globs_agree(glob: str) -> None:
    shapes = Shapes([glob])
    for path in (glob.replace("**/", "").replace("/**", "/x").replace("*", "q"), "src/app.py", "q", "x/y/z"):
        assert shapes.match(fold(path)) == matches(glob.lower(), fold(path))


def test_out_of_reach() -> None:
    assert all(
        map(
            out_of_reach,
            ["specs", "specs/a.md", "Specs/coaching/x.md", "specs/landed/x.md", ".split-ci.yaml", ".SPLIT-CI.yaml"],
        )
    )
    assert not any(map(out_of_reach, ["specs.md", "src/specs/a.md", "docs/.split-ci.yaml"]))
    assert out_of_reach("docs/specs/a.md", "docs/specs")
