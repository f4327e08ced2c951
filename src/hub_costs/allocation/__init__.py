"""Give every cent of a bill an owner, by stated rules."""

from hub_costs.allocation.allocate import Allocation, allocate
from hub_costs.allocation.owner_rules import COSTS, RULES, WEIGHTS
from hub_costs.allocation.rows import Row
from hub_costs.allocation.unit_costs import Units, units

__all__ = ["COSTS", "RULES", "WEIGHTS", "Allocation", "Row", "Units", "allocate", "units"]
