"""How many people a budget supports: the budget binds, and the answer is its own distribution."""

from decimal import Decimal

import pytest

from hub_costs.whatif import arrivals
from hub_costs.whatif.budget_answer import Load, candidates, lean_hub, serving, supported
from hub_costs.whatif.result import what_if
from pangeo_core.errors import BadInput

CLASS = Load("class")


def test_more_money_supports_more_people_and_less_memory_does() -> None:
    """The review's finding: 800 to 2,000 USD supported the same 135, since room was fixed."""
    small, large = (supported(CLASS, Decimal(usd), seeds=1, workers=1) for usd in (450, 600))
    assert 0 < small.people < large.people
    assert supported(Load("class", memory_gib=7), Decimal(600), seeds=1, workers=1).people < (
        large.people
    )
    patient = supported(CLASS, Decimal(450), wait_seconds=300, seeds=1, workers=1)
    assert patient.people > small.people


def test_what_is_said_to_fit_fits_and_a_few_more_do_not() -> None:
    answer = supported(CLASS, Decimal(450), seeds=1, workers=1)
    assert answer.typical is not None
    assert answer.low == answer.people == answer.high == answer.typical.people
    assert answer.typical.usd_per_month <= 450
    assert answer.typical.wait_seconds <= 60
    for people, some in ((answer.people, True), (answer.people + 2, False)):
        sessions = arrivals.generate(CLASS.of(people), 1)
        ways = serving(sessions, candidates(CLASS, people), 60, limit=Decimal(450))
        assert any(True for _ in ways) is some


def test_the_number_lies_in_its_own_distribution() -> None:
    answer = supported(CLASS, Decimal(420), seeds=5, workers=1)
    assert answer.low <= answer.people <= answer.high
    assert answer.as_dict()["seeds"] == 5


def test_a_budget_below_the_floor_supports_nobody() -> None:
    floor = what_if(arrivals.generate(CLASS.of(1), 1), lean_hub(CLASS, 1)).floor_usd_per_month
    answer = supported(CLASS, floor / 2, seeds=1, workers=1)
    assert (answer.people, answer.typical) == (0, None)


@pytest.mark.parametrize(
    ("budget", "wait", "more"),
    [(0, 60, {}), (-1, 60, {}), (10, 0, {}), (10, 1e9, {}), (10, 60, {"seeds": 0})],
)
def test_limits_that_are_none_are_refused(budget: int, wait: float, more: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="Invalid budget"):
        supported(CLASS, Decimal(budget), wait, **more)


def test_sizes_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match="Invalid memory_gib: -1"):
        Load("class", memory_gib=-1)
    with pytest.raises(BadInput, match="nothing"):
        Load("nothing")
