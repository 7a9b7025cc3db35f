"""A pull request's text: what it says of each kind of result, and that nothing in a spec breaks out of its place."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from split_ci.ledger import CriterionSummary, Entry
from split_ci.ports import Usage
from split_ci.pull_state import is_edited, read_state, ticked
from split_ci.report.pull import Told, pull_body
from split_ci.settings import Price
from split_ci.spec import Spec, parse_spec
from tests.builders import spec

BASE, HEAD = "c" * 40, "b" * 40
ACCEPT = """\
  - run: python -m pytest -q tests/test_loader.py
  - run: "grep -c '`passed` | failed' out.txt"
    guard: true
  - missing: src/old.py"""
EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nuno\n```\n"


def parsed(extra: str = "", why: str = "Because.", accept: str = ACCEPT) -> Spec:
    text = spec(EDIT, accept=accept, extra=extra).replace("Because.", why)
    found = parse_spec(text.encode(), "specs/one.md")
    assert found.spec is not None, found.problems
    return found.spec


def entry(made: Spec, role: str = "implementer", **fields: object) -> Entry:
    criteria = tuple(
        CriterionSummary(one.id, red=None if one.guard else True, green=True, seconds=1.25 * number)
        for number, one in enumerate(made.accept)
    )
    whole: dict[str, object] = {
        "id": made.id, "digest": made.digest, "attempt": role[:1] * 16, "role": role, "name": "exact", "at": "2026-01-02T03:04:05Z",
        "commit": HEAD, "base": BASE, "edits": {"exact": 3}, "criteria": criteria, **fields,
    }  # fmt: skip
    return Entry(**whole)  # type: ignore[arg-type]


def body(made: Spec, attempt: Entry | None, *others: Entry, sandbox: str = "bubblewrap") -> str:
    entries = [*([attempt] if attempt else []), *others]
    return pull_body(Told(made, BASE, HEAD, attempt, entries, sandbox=sandbox, architect=Price(5, 0.5, 25)))


def html(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_a_result_of_code_alone() -> None:
    made = parsed()
    text = body(made, entry(made))
    assert text.startswith("Because.\n\n## What was done\n")
    assert "- 3 edits applied as the spec writes them out (by code alone, no model was asked)" in text
    assert "| a1 | `python -m pytest -q tests/test_loader.py` | 🔴 fails | 🟢 passes | 0.0 |" in text
    assert "(guard) | 🟢 passes | 🟢 passes | 1.2 |" in text
    assert "in a sandbox (`bubblewrap`)" in text
    assert "Nothing: no model was called." in text
    assert "split-ci drop one" in text
    state = read_state(text)
    assert state is not None
    assert (state.id, state.digest, state.head, state.round) == ("one", made.digest, HEAD, 1)
    assert not is_edited(text)
    assert ticked(text) == frozenset()
    assert text == body(made, entry(made)), "the same result, the same text"


def test_a_result_of_models() -> None:
    made = parsed()
    usage = Usage(3, 12_000, 4_000, 900, 0.0123)
    attempt = entry(
        made,
        name="cheap",
        round=2,
        usage=usage,
        edits={"exact": 1, "adapted": 1, "model": 2},
        lessons=("say-why",),
        recorded=True,
    )
    review = entry(
        made, "architect", name="strong", usage=Usage(1, 30_000, 0, 800, 0.21), decision="request_changes", criteria=()
    )
    text = body(made, attempt, review)
    assert (
        "- 1 edit applied as the spec writes it out, 1 edit adapted to text that had moved, 2 edits written by a model"
        in text
    )
    assert "(the last by `cheap`)" in text
    assert "the model's answers are recorded ones" in text
    assert "- round 2: the findings of the last review went into it" in text
    assert "- lessons that the implementer was given: `say-why`" in text
    assert "| implementer | 3 | 12,000 | 4,000 | 900 | $0.0123 |" in text
    assert "| architect | 1 | 30,000 | 0 | 800 | $0.2100 |" in text
    assert "| **together** | 4 | 42,000 | 4,000 | 1,700 | $0.2223 |" in text
    assert "Without the split about $" in text


def test_what_must_be_known_stands_first() -> None:
    made = parsed('protected: [".github/workflows/ci.yml", Makefile]\nwaive: [SP412]\n')
    first, second, third, _ = body(made, entry(made), sandbox="none").split("\n\n", 3)
    assert "**Changes protected paths:** `.github/workflows/ci.yml`, `Makefile`." in first
    assert "**Waived by the spec:** `SP412` (" in second
    assert "**The criteria ran without a sandbox:**" in third


def test_a_conflict_is_said() -> None:
    made = parsed()
    text = pull_body(Told(made, BASE, HEAD, entry(made), [], conflicts=("a.txt", "b`c.txt")))
    first, second, _ = text.split("\n\n", 2)
    assert first.endswith("the default branch changed `a.txt`, ``b`c.txt`` since. The box *anew* helps.")
    assert second == "Because."


def test_criteria_that_run_nothing_need_no_sandbox() -> None:
    made = parsed(accept="  - missing: src/old.py")
    assert "without a sandbox" not in body(made, entry(made), sandbox="none")


def test_a_price_that_is_not_known_is_not_nothing() -> None:
    made = parsed()
    text = body(made, entry(made, name="cheap", usage=Usage(2, 1000, 0, 10, None)))
    assert "2 calls of unknown price" in text
    assert "Without the split" not in text


def test_a_branch_of_which_nothing_is_known() -> None:
    text = body(parsed(), None)
    assert "not known" in text
    assert "The branch holds a result of this spec" in text


HOSTILE = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "an end of a comment": "--> <!-- split-ci-box round -->",
    "a mention": "@everyone and @ada/team",
    "a word that closes": "Closes #12, fixes ada/one#13",
    "a link": "[click](https://example.com/?q=1) ![x](https://example.com/x.png)",
    "a box": "- [x] another round <!-- split-ci-box round -->",
    "a state": '<!-- split-ci {"id":"two"} -->',
    "a suggestion": "```suggestion\nrm -rf\n```",
    "an end of a fence": "````\n````\n```",
    "what is not seen": "a\u202eb\u200bc\x1b[31m",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spec_breaks_out_of_nothing(name: str) -> None:
    made = parsed(why=HOSTILE[name])
    text = body(made, entry(made))
    shown = html(text)
    for tag in ("<script", "<img", "<a ", "\u202e", "\u200b", "\x1b"):
        assert tag not in shown
    assert ticked(text) == frozenset()
    assert not is_edited(text)
    assert "<h2>What next</h2>" in shown
    assert shown.count("<!-- split-ci") == 3, "two boxes and the state"


def test_commands_stay_in_their_cells() -> None:
    made = parsed(accept="  - run: |\n      printf 'a|b' | tee x\n      echo \"``code``\" <b>\n  - missing: x.txt")
    shown = html(body(made, entry(made)))
    assert shown.count("<tr>") == 3
    assert "printf 'a|b' | tee x ⏎ echo &quot;``code``&quot; &lt;b&gt;" in shown


def test_many_criteria_and_a_long_why_are_counted_and_cut() -> None:
    made = parsed(why="word " * 20_000, accept="\n".join(f"  - missing: src/old{n}.py" for n in range(130)))
    text = body(made, entry(made))
    assert len(text) < 65_000
    assert "and 30 more" in text
    assert "(cut: the whole of it stands in `specs/one.md`)" in text
