"""Conversations: what a model is told after each kind of answer, and when it is no use to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.caps import Account, Caps, Silent
from split_ci.implementers.chat import Chat
from split_ci.ports import Asker, File, Usage
from tests.models.answers import COST, Heard, block, line
from tests.tasks import CAPS, task

if TYPE_CHECKING:
    from split_ci.models.scripted import Line
    from split_ci.ports import Attempt

FILES = {
    "docs/app.md": "# App\n\nRun it with care.\nThen stop.\n",
    "src/app.py": "import os\n\n\ndef run():\n    return 1\n",
}
GOOD = block("docs/app.md", "Then stop.\n", "Then go on.\n")
ABSENT = block("docs/app.md", "Run it with great care.\n", "Run it.\n")
ASKED = (("docs/app.md",),)


def attempt(*lines: Line | str, **fields: object) -> tuple[Attempt, Heard]:
    model = Heard(*lines)
    return Chat("cheap", model).implement(task(FILES, **fields)), model  # type: ignore[arg-type]


def told(model: Heard, turn: int = 2) -> str:
    return model.requests[turn - 1].messages[-1].text


def test_one_answer_that_holds() -> None:
    done, model = attempt(GOOD)
    assert done.outcome == ("done", "")
    assert done.files == {"docs/app.md": File(FILES["docs/app.md"].replace("stop", "go on").encode())}
    assert done.usage == COST
    assert [m.role for m in done.transcript] == ["user", "assistant"]
    assert len(model.requests) == 1


def test_a_failed_block_is_answered_with_what_failed_the_nearest_lines_what_holds_and_nothing_else() -> None:
    done, model = attempt(GOOD + ABSENT, block("docs/app.md", "Run it with care.\n", "Run it.\n"))
    assert done.outcome.name == "done"
    assert done.files["docs/app.md"] == File(b"# App\n\nRun it.\nThen go on.\n")
    mark = model.requests[0].messages[0].text.split()[2].rstrip(".")
    assert (
        told(model)
        == f"""\
1. The SEARCH text of a block for "docs/app.md" is not in the file.
<{mark} your SEARCH text>
Run it with great care.
</{mark}>
<{mark} lines 1 and after, the nearest in the file>
# App

Run it with care.
Then go on.
</{mark}>

1 of your blocks hold, in "docs/app.md". Don't send them again: send only what failed.
"""
    )


TOLD: dict[str, tuple[Line | str, str]] = {
    "empty": (line("", turn=1), "1. Your answer was empty. Answer with edit blocks."),
    "prose": ("Done!", "1. There was no edit block in your answer."),
    "cut off": (line(GOOD + "docs/app.md\n<<<<<<< SEARCH\nRun", turn=1, stop="length"), "1. Your answer was cut off by its length limit."),
    "half a block": ("docs/app.md\n<<<<<<< SEARCH\nThen stop.\n", '1. A block for "docs/app.md" is not complete.'),
    "no path": (GOOD.split("\n", 1)[1], "1. A block has no path on the line above it."),
    "two dividers": (block("docs/app.md", "A\n=======\n", "B\n"), 'The text of a block for "docs/app.md" has a line of ='),
    "a wrong path": (block("docs/../x.md", "", "x\n"), 'The path "docs/../x.md" can\'t be used'),
    "a path that is not named": (block("x.md", "", "x\n"), '"x.md" is not among the paths that you may change.'),
    "twice": (block("src/app.py", "\n", "# a\n"), "more than once"),
    "a file that is there": (block("docs/app.md", "", "x\n"), '"docs/app.md" is there already'),
    "a file that is not": (block("docs/x.md", "x\n", "y\n"), 'There is no file "docs/x.md".'),
    "nothing asked for": (block("src/app.py", "import os\n", ""), 'Nothing was changed in "docs/app.md" yet'),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_each_fault_has_its_own_answer_and_can_be_mended(name: str) -> None:
    first, said = TOLD[name]
    done, model = attempt(
        first, GOOD if name != "cut off" else block("docs/app.md", "Run it with care.\n", "Run.\n"), asked=ASKED
    )
    assert said in told(model)
    assert done.outcome.name == "done"
    assert len(told(model)) < 800


ENDS: dict[str, tuple[list[Line | str], int, str]] = {
    "refused": ([line("No.", turn=1, stop="refusal")], 1, "the model refused: No."),
    "the same answer": ([ABSENT, "?", ABSENT], 3, 'the same answer twice: text that is not there in "docs/app.md" (' ),
    "the same error": (["I am done.", "Really."], 2, "the same error twice: no edit block"),
    "no change": (["Hm.", ABSENT, line("", turn=3)], 3, "3 answers without a change: an empty answer"),
    "too many turns": (
        [GOOD + ABSENT, block("src/app.py", "import os\n", "import sys\n") + ABSENT, block("docs/n1.md", "", "n\n") + ABSENT,
         block("docs/n2.md", "", "n\n") + ABSENT], 4, "4 answers, and still: text that is not there",
    ),
    "back and forth": ([GOOD + block("docs/app.md", "Then go on.\n", "Then stop.\n")], 1, "the answers change nothing"),
    "the world": ([line("", fail="503")], 1, "scripted: 503 (recorded) (try again later)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_conversation_that_leads_nowhere_ends(name: str) -> None:
    lines, calls, reason = ENDS[name]
    done, model = attempt(*lines)
    assert done.outcome.name == "failed"
    assert done.outcome.reason.startswith(reason)
    assert len(model.requests) == calls
    assert done.usage.calls == calls
    assert (done.fault is not None) == (name == "the world")


def test_what_held_is_kept_when_the_rung_ends() -> None:
    done, _ = attempt(GOOD + ABSENT, GOOD + ABSENT)
    assert done.outcome.name == "failed"
    assert set(done.files) == {"docs/app.md"}


def test_a_cap_ends_it_before_the_call() -> None:
    broke = Account(CAPS, Asker("implementer", "a"), Silent(), spent=Usage(1, 0, 0, 0, 1.0))
    done, model = attempt(GOOD, account=broke)
    assert done.outcome == ("over-limit", "1.0000 USD are spent, the cap is 1")
    assert (model.requests, done.usage) == ([], Usage())
    almost = Account(CAPS, Asker("implementer", "a"), Silent(), spent=Usage(1, 0, 0, 0, 0.9995))
    done, model = attempt(GOOD + ABSENT, GOOD, account=almost)
    assert done.outcome == ("over-limit", "1.0005 USD are spent, the cap is 1")
    assert (len(model.requests), set(done.files)) == (1, {"docs/app.md"})


def test_the_prompt_only_grows_at_its_end() -> None:
    _, model = attempt("?", ABSENT, GOOD)
    for earlier, later in zip(model.requests, model.requests[1:], strict=False):
        assert later.system == earlier.system
        assert later.messages[: len(earlier.messages)] == earlier.messages


def test_files_are_left_out_where_the_tokens_would_not_do() -> None:
    files = {**FILES, "docs/big.md": "x" * 9000 + "\n"}
    account = Account(Caps(3, 5.0, 4000, 1.0), Asker("implementer", "a"), Silent())
    model = Heard(GOOD)
    Chat("cheap", model).implement(task(files, account=account))
    text = model.requests[0].messages[0].text
    assert 'Omitted, not shown here:\n- "docs/big.md": 9001 bytes, ' in text
    assert "Then stop." in text
