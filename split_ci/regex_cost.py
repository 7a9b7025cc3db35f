"""What a regular expression may cost, told from its parts alone: nothing is searched, so it is told of any pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 64  # a repeat of more counts as one without an end


def parsed(pattern: str) -> Any:  # noqa: ANN401 - the parser's own untyped tree
    """The parts of a pattern: (operation, its argument) pairs. Raises what `re.compile` raises."""
    return re._parser.parse(pattern)  # type: ignore[attr-defined]  # noqa: SLF001 - the standard library's only parser


def may_be_empty(pattern: re.Pattern[str]) -> bool:
    """Whether it can match where there is nothing."""
    return int(parsed(pattern.pattern).getwidth()[0]) == 0


def ways(pattern: str, most: int, reach: int = 0) -> int:
    """In how many ways a pattern may read one place of a text before it gives up there; at most `most` + 1.

    Each choice and each part that may be left out multiplies them, and each repeat of up to `MANY`. One of more goes as
    often as it must, and `reach` times at least.
    """
    return _ways(parsed(pattern), most, reach)


def _ways(part: Any, most: int, reach: int) -> int:  # noqa: ANN401
    found = 1
    for operation, argument in part:
        if str(operation).endswith("_REPEAT"):
            low, high = int(argument[0]), int(argument[1])
            times = high if high <= MANY else max(low, reach)
            found *= (times - low + 1) * _power(_ways(argument[2], most, reach), times, most)
            found *= max(times, 1) if reach else 1  # each of them is a step, and so for those around it
        elif str(operation) == "BRANCH":
            found *= sum(_ways(each, most, reach) for each in argument[1])
        else:
            for inner in parts(argument):
                found *= _ways(inner, most, reach)
        if found > most:
            return most + 1
    return found


def _power(base: int, times: int, most: int) -> int:
    found = 1
    for _ in range(times if base > 1 else 0):
        found *= base
        if found > most:
            return most + 1
    return found


def parts(argument: Any) -> Iterator[Any]:  # noqa: ANN401
    """The sub-patterns in an operation's argument, lists of them included."""
    if type(argument).__name__ == "SubPattern":
        yield argument
    elif isinstance(argument, (list, tuple)):
        for each in argument:
            yield from parts(each)
