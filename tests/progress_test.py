"""The table that a terminal shows while a run is under way: every column, whatever the terminal's size."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from split_ci.ports import Event, Outcome
from split_ci.report.run import Screen, shortened, watch, widths

LONG = [f"a-rather-long-name-of-a-spec-{number}" for number in range(14)]


def drawn(screen: Screen, columns: int, lines: int) -> list[str]:
    console = Console(width=columns, height=lines, file=io.StringIO())
    console.print(screen.table(columns, lines))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [40, 50, 80, 100, 300])
def test_every_column_is_there(columns: int) -> None:
    screen = Screen(LONG)
    screen.see(
        Event(LONG[3], "criteria", "a1 make test, and more words than fit anywhere", green=2, criteria=12, usd=0.0123)
    )
    screen.see(Event(LONG[4], "asking", usd=None))
    lines = drawn(screen, columns, 40)
    assert lines[0].split() == ["spec", "state", "criteria", "time", "cost"]
    assert len(lines) == 1 + len(LONG)
    assert all(len(line) <= columns for line in lines)
    assert lines[4].split()[-4:] == ["2/12", "0.0", "s", "$0.0123"]


def test_names_that_begin_alike_are_told_apart() -> None:
    lines = drawn(Screen(LONG), 50, 40)
    assert len({line.split()[0] for line in lines}) == 1 + len(LONG)


def test_of_more_specs_than_lines_those_at_work_are_drawn() -> None:
    screen = Screen(LONG)
    for name in LONG[:6]:
        screen.see(Event(name, "done", outcome=Outcome("done")))
    for name in LONG[10:]:
        screen.see(Event(name, "criteria", "a1 make", green=0, criteria=1))
    screen.see(Event(LONG[13], "criteria", "", green=1, criteria=1))
    lines = drawn(screen, 100, 12)
    assert len(lines) == 11
    assert [line.split()[0] for line in lines[1:4]] == LONG[10:13]
    assert {line.split()[0] for line in lines[4:9]} == {*LONG[6:10], LONG[13]}
    assert lines[9].split()[0] == LONG[5]
    assert lines[10].strip() == "6 of 14 specs ended"


def test_where_nothing_is_drawn_a_spec_that_ended_is_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(["one", "two"]) as see:
        see(Event("one", "criteria", "a1 make", green=0, criteria=1))
        see(Event("one", "failed", outcome=Outcome("failed", "a1 make: 2")))
        see(Event("two", "done", outcome=Outcome("done")))
    assert capsys.readouterr() == ("", "failed     one\ndone       two\n")


def test_widths_and_words() -> None:
    assert widths(10, 200) == (10, 48)
    assert sum(widths(60, 80)) <= 80 - 26
    assert (shortened("abcdef", 6), shortened("abcdefg", 6), shortened("abcdefg", 6, middle=True)) == (
        "abcdef",
        "abcde…",
        "ab…efg",
    )
