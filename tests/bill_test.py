"""The bill: sums by role, spec and round; what isn't known is said; the counterfactual in both directions."""

from __future__ import annotations

import pytest

from split_ci import bill, ledger
from split_ci.bill import Cost, bill_of, cost_of, cost_of_usage, counterfactual
from split_ci.ledger import Entry
from split_ci.ports import Usage
from split_ci.report.bill import amount, comparison, money
from split_ci.settings import Price

STRONG = Price(5.0, 0.5, 25.0)
CHEAP = Price(0.1, 0.02, 0.4)
AT = "2026-01-05T10:00:00Z"


def entry(role: str = "implementer", usage: Usage = Usage(), **more: object) -> Entry:  # noqa: B008 - a value
    made = Entry("a", "0" * 64, "1", "implementer", "cheap", AT, None, usage=usage)
    return made._replace(role=role, **more)  # type: ignore[arg-type]


def test_each_sum_holds_every_entry_once() -> None:
    entries = [
        entry(usage=Usage(2, 100, 40, 10, 0.25)),
        entry(usage=Usage(1, 50, 0, 5, 0.5), round=2),
        entry("architect", Usage(1, 1000, 0, 100, 2.0), decision="approve", id="b"),
        entry("architect", Usage(1, 500, 0, 50, 1.0), id="b"),
    ]
    found = bill_of(entries)
    assert found.total == Cost(5, 1650, 40, 165, 3.75)
    assert found.roles == {"implementer": Cost(3, 150, 40, 15, 0.75), "architect": Cost(2, 1500, 0, 150, 3.0)}
    assert (found.reviews.usd, found.designs.usd) == (2.0, 1.0)
    assert list(found.specs) == ["b", "a"]
    assert {number: cost.usd for number, cost in found.rounds.items()} == {1: 3.25, 2: 0.5}
    assert found.counterfactual is None


def test_an_unknown_price_is_said_and_never_nothing() -> None:
    found = bill_of([entry(usage=Usage(3, 10, 0, 1, None)), entry(usage=Usage(1, 10, 0, 1, 0.5))], STRONG).total
    assert (found.usd, found.known_usd, found.unpriced) == (None, 0.5, 3)
    assert amount(found) == "at least $0.5000, 3 calls of unknown price"
    assert amount(cost_of_usage(Usage(1, 10, 0, 1, None))) == "1 call of unknown price"
    assert counterfactual(Cost(), found, STRONG) is None


@pytest.mark.parametrize(
    ("made", "usd"),
    [
        pytest.param(entry(usage=Usage(1, 1_000_000, 500_000, 1_000_000, None)), 0.05 + 0.01 + 0.4, id="repriced today"),
        pytest.param(entry(usage=Usage(1, 1_000_000, 0, 0, 7.0)), 7.0, id="what was paid stays"),
        pytest.param(entry(usage=Usage(1, 10, 0, 1, None), name="stranger"), None, id="a name that nobody knows"),
        pytest.param(entry(usage=Usage(1, 10, 0, 1, None), reason=ledger.INTERRUPTED), None, id="a part of it was lost"),
        pytest.param(entry(usage=Usage(1, 0, 0, 0, None)), None, id="tokens that nobody counted"),
    ],
)
def test_a_price_that_was_not_known_then(made: Entry, usd: float | None) -> None:
    assert cost_of(made, {"cheap": CHEAP}.get).usd == (pytest.approx(usd) if usd is not None else None)


def test_the_words_of_the_ledger_are_the_same() -> None:
    assert bill.INTERRUPTED == ledger.INTERRUPTED


def test_recorded_replies_are_counted() -> None:
    assert cost_of(entry(usage=Usage(2), name="cheap (scripted)")).recorded == 2
    assert cost_of(entry("architect", Usage(1), recorded=True)).recorded == 1
    assert cost_of(entry(usage=Usage(2))).recorded == 0


@pytest.mark.parametrize(
    ("architect", "typing", "says"),
    [
        pytest.param(
            Usage(1, 0, 0, 0, 0.1), Usage(1, 1_000_000, 0, 0, 0.1),
            "the split saved about $4.90 on typing; the architect's designs and reviews cost $0.1000", id="it paid off",
        ),
        pytest.param(
            Usage(1, 0, 0, 0, 9.0), Usage(1, 1_000_000, 0, 0, 0.1),
            "the split cost more than it saved: $9.00 for the architect's designs and reviews, about $4.90 saved on typing "
            "(exact edits, which cost nothing, are not in the estimate)", id="reviews ate it up",
        ),
        pytest.param(
            Usage(1, 0, 0, 0, 0.1), Usage(1, 1_000_000, 0, 0, 6.0),
            "the split cost more than it saved: typing cost $1.00 more than at the architect's price", id="a dear rung",
        ),
        pytest.param(
            Usage(1, 0, 0, 0, 0.0), Usage(1, 1_000_000, 0, 0, 0.1),
            "the split saved about $4.90 on typing; the architect's designs and reviews cost nothing",
            id="a review that nobody answered",
        ),
    ],
)  # fmt: skip
def test_whether_it_paid_off_is_said_plainly(architect: Usage, typing: Usage, says: str) -> None:
    costs = cost_of_usage(architect), cost_of_usage(typing)
    compared = counterfactual(*costs, STRONG)
    assert compared is not None
    assert compared.usd == pytest.approx((architect.usd or 0) + 5.0)
    first, second = comparison(costs[0] + costs[1], compared, "strong")
    assert first.startswith("without the split: about $")
    assert "an estimate" in first
    assert first.endswith("or $5.00 where that model only types: no design, no review")
    assert second == says
    assert compared.paid_off == says.startswith("the split saved")


@pytest.mark.parametrize(
    ("total", "architect", "why"),
    [
        (Cost(calls=1, input=9), "rules", "the architect is `rules`, which has no price"),
        (
            Cost(calls=1, input=9),
            "strong",
            "the architect's model has no known price (models.strong.price in .split-ci.yaml)",
        ),
        (Cost(calls=1), "strong", "no answer came"),
        (Cost(calls=1, unpriced=1), "strong", "1 call has no known price (models.<name>.price)"),
        (Cost(calls=2, unpriced=2), "strong", "2 calls have no known price (models.<name>.price)"),
    ],
)
def test_why_there_is_nothing_to_compare_with(total: Cost, architect: str, why: str) -> None:
    assert comparison(total, None, architect) == [f"without the split: not known: {why}"]


def test_amounts() -> None:
    assert [money(usd) for usd in (None, 0.0, 0.00012, 0.5, 12.3, 1234.5)] == [
        "price unknown", "-", "$0.0001", "$0.5000", "$12.30", "$1,234.50",
    ]  # fmt: skip


def test_a_day_is_utc() -> None:
    entries = [
        entry(usage=Usage(1, usd=0.5)),
        entry(usage=Usage(1, usd=None)),
        entry(usage=Usage(1, usd=3.0), at="2026-01-06T"),
    ]
    assert bill.spent_on(entries, "2026-01-05") == 0.5
