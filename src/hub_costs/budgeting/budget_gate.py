"""Say no in time: the plan's floor, the month so far and the forecast against one budget."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pangeo_core.errors import BadInput, CheckFailed
from pangeo_core.terraform_json import Shown, planned


@dataclass(frozen=True)
class Check:
    """One amount against the budget, USD."""

    name: str
    usd: Decimal
    ok: bool


@dataclass(frozen=True)
class Gate:
    """All amounts that were known against the budget."""

    budget: Decimal
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing passes the budget."""
        return all(check.ok for check in self.checks)

    def require(self) -> None:
        """Raise `CheckFailed` (exit 3) naming what passes the budget."""
        over = [f"{c.name} is {c.usd} USD" for c in self.checks if not c.ok]
        if over:
            raise CheckFailed(
                f"The budget of {self.budget} USD a month is passed: {'; '.join(over)}.",
                fix="Make the plan cheaper (`cost estimate` shows each line), or raise the budget.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost gate`."""
        return {
            "ok": self.ok,
            "budget": format(self.budget, "f"),
            "checks": [vars(c) | {"usd": format(c.usd, "f")} for c in self.checks],
        }


def gate(
    budget: Decimal,
    *,
    floor: Decimal | None = None,
    month_so_far: Decimal | None = None,
    forecast_high: Decimal | None = None,
) -> Gate:
    """Compare what is known with the budget; an amount equal to the budget is within it.

    `floor` is an estimate's, `month_so_far` the bill's, `forecast_high` the month so far plus the
    upper bound of the days to come, all USD a month. Raises `BadInput` if none is given.
    """
    known = {
        "the plan's floor": floor,
        "the month so far": month_so_far,
        "the forecast's upper bound": forecast_high,
    }
    if budget <= 0:
        raise BadInput(f"A budget of {budget} USD cannot be.", fix="Give an amount above 0.")
    checks = tuple(Check(k, v, v <= budget) for k, v in known.items() if v is not None)
    if not checks:
        raise BadInput(
            "There is nothing to hold against the budget.",
            fix="Give a plan, a bill of this month, or its days.",
        )
    return Gate(budget, checks)


def budget_of(plan: Shown) -> Decimal:
    """Return the monthly budget in USD that a Terraform plan (`terraform show -json`) declares.

    The one figure: AWS watches it, the gate holds plans against it, the report shows it.
    """
    found = {
        str(resource.values.get("limit_amount"))
        for resource in planned(plan)
        if resource.type == "aws_budgets_budget" and resource.values.get("time_unit") == "MONTHLY"
    }
    if len(found) != 1:
        raise BadInput(
            f"The plan declares {len(found) or 'no'} monthly budgets.",
            fix="Declare one aws_budgets_budget with time_unit MONTHLY, or give the budget.",
        )
    try:
        return Decimal(found.pop())
    except InvalidOperation:
        raise BadInput(
            "The plan's budget is not known before the apply.", fix="Give the budget yourself."
        ) from None
