"""What is typed wrong is named, with the word that was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import make_repo, split_ci

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cheko"], "split-ci: error: there is no command 'cheko'\n  next: split-ci check\n"),
        (["run", "--jbos", "3"], "split-ci: error: run: unrecognized arguments: --jbos\n  next: split-ci run --jobs\n"),
        (["run", "--zzz"], "split-ci: error: run: unrecognized arguments: --zzz\n  next: split-ci run --help\n"),
        (
            ["coach", "shwo"],
            "split-ci: error: coach has no 'shwo', and there is no such file\n  next: split-ci coach show\n",
        ),
    ],
)
def test_a_word_that_is_typed_wrong(tmp_path: Path, words: list[str], said: str) -> None:
    done = split_ci(make_repo(tmp_path / "r", {"a": "a\n"}), *words, code=2)
    assert (done.stdout, done.stderr) == ("", said)
