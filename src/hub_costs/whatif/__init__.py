"""What the same people would have cost, and waited for, on another configuration."""

from hub_costs.whatif.config import Config, Pool, load, parse
from hub_costs.whatif.result import WhatIf, what_if

__all__ = ["Config", "Pool", "WhatIf", "load", "parse", "what_if"]
