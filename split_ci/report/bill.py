"""Money as people read it: amounts, the cost of each role, and what it would have cost without the split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.plain import counted

if TYPE_CHECKING:
    from split_ci.bill import Cost, Counterfactual


def money(usd: float | None) -> str:
    """An amount as people read it; a price that isn't known is said."""
    if usd is None:
        return "price unknown"
    return "-" if usd == 0 else f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def amount(cost: Cost) -> str:
    """The money of some calls; what isn't known of it is said, and never counted as nothing."""
    if not cost.unpriced:
        return money(cost.known_usd)
    calls = f"{counted(cost.unpriced, 'call')} of unknown price"
    return f"at least {money(cost.known_usd)}, {calls}" if cost.known_usd else calls


def role_line(name: str, cost: Cost) -> str:
    """The cost of one role on one line."""
    tokens = f"{cost.input} tokens in ({cost.cached} cached), {cost.output} out"
    recorded = f" ({cost.recorded} recorded)" if cost.recorded else ""
    return f"cost: {name:<12} {counted(cost.calls, 'call')}{recorded}, {tokens}, {amount(cost)}"


def comparison(total: Cost, compared: Counterfactual | None, architect: str) -> list[str]:
    """What the same tokens would have cost without the split, and whether it paid off. `architect` is its name."""
    if compared is None:
        return [f"without the split: not known: {_unknown(total, architect)}"]
    said = (
        f"without the split: about {_told(compared.usd)} (an estimate: the same tokens at the architect's price), "
        f"or {_told(compared.usd - compared.spent_usd)} where that model only types: no design, no review"
    )
    spent, saved = _told(compared.spent_usd), _told(abs(compared.saved_usd))
    if compared.saved_usd < 0:
        return [said, f"the split cost more than it saved: typing cost {saved} more than at the architect's price"]
    if not compared.paid_off:
        why = f"{spent} for the architect's designs and reviews, about {saved} saved on typing"
        return [said, f"the split cost more than it saved: {why} (exact edits, which cost nothing, are not in the estimate)"]
    return [said, f"the split saved about {saved} on typing; the architect's designs and reviews cost {spent}"]


def _unknown(total: Cost, architect: str) -> str:
    if not total.tokens and not total.unpriced:
        return "no answer came"
    if total.unpriced:
        return f"{total.unpriced} call{' has' if total.unpriced == 1 else 's have'} no known price (models.<name>.price)"
    if architect == "rules":
        return "the architect is `rules`, which has no price"
    return f"the architect's model has no known price (models.{architect}.price in .split-ci.yaml)"


def _told(usd: float) -> str:
    """An amount within a sentence."""
    return money(usd) if usd else "nothing"


def cost_json(cost: Cost) -> dict[str, Any]:
    """A cost as JSON; `usd` is null where a part of it isn't known."""
    return {
        "calls": cost.calls, "input": cost.input, "cached": cost.cached, "output": cost.output,
        "usd": _rounded(cost.usd), "known_usd": _rounded(cost.known_usd), "unpriced": cost.unpriced,
        "recorded": cost.recorded,
    }  # fmt: skip


def comparison_json(compared: Counterfactual | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    figures = {key: _rounded(value) for key, value in compared._asdict().items()}
    return {"estimate": True, **figures, "paid_off": compared.paid_off}


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 8)
