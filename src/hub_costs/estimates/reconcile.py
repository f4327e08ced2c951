"""From the estimate to the bill, step by step, with nothing left over."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.allocation import allocation_groups
from hub_costs.allocation.allocate import allocate
from hub_costs.allocation.owner_rules import NO_CORE_TAG, RULES
from hub_costs.apportion import amount
from hub_costs.bills import table as bill
from hub_costs.estimates.estimate import Estimate
from hub_costs.estimates.price_items import bill_rule
from hub_costs.months import Month
from pangeo_core.errors import BadInput, PangeoDeployError

__all__ = ["reconcile"]

_OWN = {"tax": "tax and credit", "credit": "tax and credit", "adjustment": "tax and credit"}
_OWN |= {
    "unknown": "not tagged or not known",
    "machine": "users' machines",
    "machine-untyped": "machines of any kind",
    "commitment": "commitments",
}


@dataclass(frozen=True)
class Step:
    """One step of the waterfall: USD that it adds, and what it is about."""

    step: str
    about: str
    usd: Decimal


@dataclass(frozen=True)
class Reconciliation:
    """A waterfall whose steps sum from the estimate to the bill exactly."""

    month: Month
    estimate: Decimal
    bill: Decimal
    steps: tuple[Step, ...]
    allocated: dict[str, Decimal] = field(default_factory=dict)  # kind -> USD, sums to the bill
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost reconcile`."""
        return {
            "month": str(self.month),
            "allocated": {kind: format(usd, "f") for kind, usd in self.allocated.items()},
            "estimate": format(self.estimate, "f"),
            "bill": format(self.bill, "f"),
            "steps": [vars(s) | {"usd": format(s.usd, "f")} for s in self.steps],
            "warnings": list(self.warnings),
        }


def reconcile(
    estimate: Estimate, table: Path, month: Month, session_file: Path | None = None
) -> Reconciliation:
    """Explain the bill of `month` in `table` from `estimate`, and with sessions who caused it.

    For each priced item that the bill has: `days not billed` (the bill is not final: the
    estimate's share of the days it lacks), `price` (its quantity at another price) and `quantity`
    (more or less of it). What the bill has and no plan priced is `missing from the plan`; users'
    machines, tax and credits, and what nothing is known of are steps of their own. Raises
    `BadInput` where the bill has no charge in the month.
    """
    billed = allocation_groups.by_rule(table, month)
    if not billed:
        raise BadInput(
            f"The bill has no charge in {month}.",
            why=f"It has {', '.join(_months(table)) or 'none at all'}.",
            fix="Name one of its months, or ingest the month's bill.",
        )
    steps: list[Step] = []
    planned: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for line in estimate.lines:
        rule = bill_rule(line.service, line.item)
        if rule is None or rule not in billed:
            if line.usd_per_month:
                steps.append(Step("not on the bill", line.address, -line.usd_per_month))
            continue
        planned[rule].append((line.usd_per_month, line.quantity))
    for rule, lines in sorted(planned.items()):
        steps += _explained(rule, billed[rule], lines, month)
    components = {rule.id: rule.component for rule in RULES}
    for rule, found in billed.items():
        if rule not in planned and found.usd:
            step = _OWN.get(rule, "missing from the plan")
            steps.append(Step(step, f"{components[rule]} ({rule})", found.usd))
    start = sum((line.usd_per_month for line in estimate.lines), Decimal(0))
    end = sum((found.usd for found in billed.values()), Decimal(0))
    if start + sum((s.usd for s in steps), Decimal(0)) != end:  # a bug of ours
        raise PangeoDeployError(f"The steps from {start} do not reach the bill's {end}.")
    allocated = _by_kind(table, month, session_file) if session_file else {}
    if allocated and sum(allocated.values()) != end:
        raise PangeoDeployError(f"The allocation of {month} does not reach the bill's {end}.")
    own = {bill_rule(line.service, line.item) for line in estimate.lines}
    untagged = "core-machine" in own - set(billed) and "machine" in billed
    return Reconciliation(
        month,
        start,
        end,
        tuple(s for s in steps if s.usd),
        allocated,
        (NO_CORE_TAG,) if untagged else (),
    )


def _months(table: Path) -> list[str]:
    days = {row["day"] for row in bill.summary(table, ["day"])}
    return sorted({str(Month.of(day)) for day in days})


def _by_kind(table: Path, month: Month, session_file: Path) -> dict[str, Decimal]:
    units: dict[str, int] = defaultdict(int)
    for row in allocate(table, session_file).rows:
        if Month.of(row.day) == month:
            units[row.kind] += row.units
    return {kind: amount(units[kind]) for kind in ("user", "shared", "idle", "unallocated")}


def _explained(
    rule: str, found: allocation_groups.Sum, lines: list[tuple[Decimal, Decimal]], month: Month
) -> list[Step]:
    """Return the steps from what was planned to what was billed; they sum to the difference."""
    usd = sum((u for u, _ in lines), Decimal(0))
    quantity = sum((q for _, q in lines), Decimal(0))
    cent = Decimal("0.000000000001")
    late = Decimal(0)
    if found.days < month.length and rule not in ("homes", "bucket", "registry", "monitoring"):
        late = (-usd * (month.length - found.days) / month.length).quantize(cent)
    at_plan = (found.quantity * usd / quantity).quantize(cent) if quantity else usd
    steps = [
        Step("days not billed", rule, late),
        Step("quantity", rule, at_plan - usd - late),
        Step("price", rule, found.usd - at_plan),
    ]
    return [step for step in steps if step.usd]
