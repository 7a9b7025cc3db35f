"""The bill: ledger entries as money by role, spec and round, and what the same tokens would have cost without the split.

Values in, values out. Money that isn't known is never zero: a sum with such calls in it says how many they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.ports import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from split_ci.ledger import Entry
    from split_ci.settings import Price

MILLION = 1_000_000
INTERRUPTED = "the run was interrupted"  # the ledger's word for a call whose end nobody saw: its tokens aren't known either


class Cost(NamedTuple):
    """What calls cost: tokens, and the money that is known (US dollars). `unpriced` of the calls have no known price."""

    calls: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    known_usd: float = 0.0
    unpriced: int = 0
    recorded: int = 0  # calls that a scripted model answered

    @property
    def usd(self) -> float | None:
        """The whole sum; None where a part of it isn't known."""
        return None if self.unpriced else self.known_usd

    @property
    def tokens(self) -> int:
        return self.input + self.output

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        return Cost(
            self.calls + other.calls, self.input + other.input, self.cached + other.cached, self.output + other.output,
            self.known_usd + other.known_usd, self.unpriced + other.unpriced, self.recorded + other.recorded,
        )  # fmt: skip


class Counterfactual(NamedTuple):
    """An estimate: all tokens at the architect's price. `saved_usd` is what the cheap typing saved, `spent_usd` what the
    architect's designs and reviews cost.
    """

    usd: float
    saved_usd: float
    spent_usd: float

    @property
    def paid_off(self) -> bool:
        return self.saved_usd >= self.spent_usd


class Bill(NamedTuple):
    """`designs` and `reviews` are the two parts of the architect's role; `roles` has a row for each role there is."""

    total: Cost
    roles: Mapping[str, Cost]
    designs: Cost
    reviews: Cost
    specs: Mapping[str, Cost]  # the dearest first
    rounds: Mapping[int, Cost]
    counterfactual: Counterfactual | None


def priced_usd(usage: Usage, price: Price) -> float:
    """US dollars for some tokens at a price for a million; `cached` is a part of `input`."""
    fresh = max(0, usage.input - usage.cached)
    return (fresh * price.input + usage.cached * price.cached + usage.output * price.output) / MILLION


def cost_of_usage(usage: Usage, *, recorded: bool = False) -> Cost:
    """A usage as a cost. Where its price isn't known, all of its calls are unpriced."""
    unknown = usage.usd is None
    return Cost(
        usage.calls, usage.input, usage.cached, usage.output, usage.usd or 0.0, max(1, usage.calls) if unknown else 0,
        usage.calls if recorded else 0,
    )  # fmt: skip


def cost_of(entry: Entry, price_of: Callable[[str], Price | None] | None = None) -> Cost:
    """What an entry cost. One of unknown price gets today's, where `price_of` its name is known and so are its tokens."""
    usage = entry.usage
    if usage.usd is None and price_of is not None and usage.input and entry.reason != INTERRUPTED:
        price = price_of(model_name(entry.name))
        if price is not None:
            usage = usage._replace(usd=priced_usd(usage, price))
    return cost_of_usage(usage, recorded=is_recorded(entry))


def is_recorded(entry: Entry) -> bool:
    return entry.recorded or entry.name.endswith("(scripted)")


def model_name(name: str) -> str:
    """The name in the configuration of whoever made an entry."""
    return name.removesuffix("(scripted)").strip()


def is_design(entry: Entry) -> bool:
    """Whether the architect wrote a spec there: a review has a commit that it read."""
    return entry.role == "architect" and not entry.decision and entry.commit is None


def bill_of(
    entries: Iterable[Entry], architect: Price | None = None, price_of: Callable[[str], Price | None] | None = None
) -> Bill:
    """The bill of some entries. `architect` is its price today: without one there is nothing to compare with."""
    roles: dict[str, Cost] = {}
    specs: dict[str, Cost] = {}
    rounds: dict[int, Cost] = {}
    total = designs = reviews = Cost()
    for entry in entries:
        cost = cost_of(entry, price_of)
        total += cost
        roles[entry.role] = roles.get(entry.role, Cost()) + cost
        specs[entry.id] = specs.get(entry.id, Cost()) + cost
        rounds[entry.round] = rounds.get(entry.round, Cost()) + cost
        if is_design(entry):
            designs += cost
        elif entry.role == "architect":
            reviews += cost
    dearest = sorted(specs.items(), key=lambda item: (-item[1].known_usd, -item[1].tokens, item[0]))
    compared = counterfactual(roles.get("architect", Cost()), roles.get("implementer", Cost()), architect)
    return Bill(total, roles, designs, reviews, dict(dearest), dict(sorted(rounds.items())), compared)


def counterfactual(architect: Cost, implementer: Cost, price: Price | None) -> Counterfactual | None:
    """The same tokens at the architect's price; None where that price, or a part of the real cost, isn't known."""
    if price is None or architect.usd is None or implementer.usd is None or not (architect.tokens or implementer.tokens):
        return None
    typed = priced_usd(Usage(0, implementer.input, implementer.cached, implementer.output), price)
    return Counterfactual(architect.usd + typed, typed - implementer.usd, architect.usd)


def spent_on(entries: Iterable[Entry], day: str) -> float:
    """The known money of one day, `2026-01-02` in UTC."""
    return sum(entry.usage.usd or 0.0 for entry in entries if entry.at.startswith(day))
