"""What the same people would have cost, and waited for, on another configuration."""

from pangeo_deploy.whatif.config import Config, Pool, load, parse
from pangeo_deploy.whatif.result import WhatIf, what_if

__all__ = ["Config", "Pool", "WhatIf", "load", "parse", "what_if"]
