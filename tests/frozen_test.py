"""What no model may change, from the words of a spec and the paths of its base."""

from __future__ import annotations

import pytest

from split_ci.frozen import frozen_paths, is_frozen, words
from tests.builders import spec
from tests.reviewed import parsed

COMMANDS = {
    "a plain word": ("python -m pytest tests/a_test.py", {"tests/a_test.py"}),
    "a folder": ("python -m pytest tests/", {"tests"}),
    "a test by name": ("pytest tests/a_test.py::TestA::test_b", {"tests/a_test.py"}),
    "a dot before": ("./check.sh && sh ./tools/x.sh", {"check.sh", "tools/x.sh"}),
    "quotes": ("grep 'a b' \"docs/a b.md\"", {"docs/a b.md"}),
    "an option": ("tool --config=conf/x.toml", {"conf/x.toml"}),
    "a redirection": ("diff <(sort a.txt) b.txt >out.txt", {"a.txt", "b.txt"}),
    "a glob freezes nothing": ("cat docs/*.md src/?.py", set()),
    "half a quote": ("grep 'x docs/a.md", {"docs/a.md"}),
    "outside": ("cat /etc/passwd ../x .git/config . ..", set()),
}
THERE = {"tests/a_test.py", "tests", "check.sh", "tools/x.sh", "docs/a b.md", "docs/a.md", "conf/x.toml", "a.txt", "b.txt"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_paths_in_a_command(name: str) -> None:
    command, found = COMMANDS[name]
    assert {word for word in words(command) if word in THERE} == found


def test_all_that_is_frozen() -> None:
    accept = (
        '  - run: sh check.sh docs/app.md tests\n  - missing: x.txt\n  - blob: {path: lib/b.txt, id: "' + "a" * 40 + '"}'
    )
    text = spec("### Instruct `docs/app.md`\nWrite.\n", accept=accept)
    frozen = frozen_paths(parsed(text), ["src/exact.py"], {"check.sh", "docs/app.md", "tests"}.__contains__)
    assert frozen == ("check.sh", "lib/b.txt", "specs/one.md", "src/exact.py", "tests")


IS = {
    "itself": ("src/exact.py", True),
    "below a folder": ("tests/deep/a_test.py", True),
    "beside a folder": ("tests_more/a.py", False),
    "named by an Instruct section": ("docs/app.md", False),
    "named, below a folder": ("tests/asked.md", False),
    "another": ("docs/other.md", False),
}


@pytest.mark.parametrize("name", IS)
def test_what_is_frozen(name: str) -> None:
    path, frozen = IS[name]
    asked = parsed(spec("### Instruct `docs/app.md`, `tests/asked.md`\nWrite.\n"))
    assert is_frozen(path, ("src/exact.py", "tests"), asked) is frozen


def test_a_named_path_that_an_exact_section_wrote_is_frozen() -> None:
    asked = parsed(spec("### Instruct `docs/app.md`\nWrite.\n"))
    assert is_frozen("docs/app.md", ("docs/app.md",), asked)
