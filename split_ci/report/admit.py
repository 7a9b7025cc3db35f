"""Whether a run may begin: words, JSON, or the outputs of a step of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.plain import visible
from split_ci.report import github
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from split_ci.steps.admit import Admitted


def show(admitted: Admitted, form: str) -> None:
    """The whole answer in the form that was asked for."""
    if form == "json":
        say_json(_as_json(admitted))
    elif form == "github":
        github.outputs({key: value for key, value in _as_json(admitted).items() if key != "why"})
        github.summary([f"### {admitted.id}: {_words(admitted)}", "", github.cell(admitted.turn.why), ""])
        with github.no_commands():
            _say(admitted)
    else:
        _say(admitted)


def _as_json(admitted: Admitted) -> dict[str, Any]:
    turn = admitted.turn
    if not turn.go:
        return {"go": False, "id": admitted.id, "why": turn.why}
    return {
        "go": True, "id": admitted.id, "digest": admitted.digest, "base": turn.base, "round": turn.round,
        "parent": turn.parent, "anew": turn.anew, "why": turn.why,
    }  # fmt: skip


def _words(admitted: Admitted) -> str:
    turn = admitted.turn
    if not turn.go:
        return "nothing to do"
    return f"round {turn.round} from {turn.base[:12]}" + (f", on {turn.parent[:12]}" if turn.parent else "")


def _say(admitted: Admitted) -> None:
    say(visible(f"{admitted.id}: {_words(admitted)}: {admitted.turn.why}"))
