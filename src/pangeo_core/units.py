"""Units that price lists mean, each written once."""

from decimal import Decimal

# AWS' price lists and calculators mean 730 hours by "monthly" (8,760 hours a year over 12).
HOURS_PER_MONTH = Decimal(730)
