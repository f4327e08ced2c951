"""Collectors: each reads one source and returns raw sessions and the times without data."""

from dataclasses import dataclass, field

import pandas as pd

from hub_costs.usage.sessions import Sessions, check

GAPS = ("start", "end", "source")


@dataclass(frozen=True)
class Collected:
    """What a source told: `raw` rows for `sessions.check`, and `gaps` (start, end, source)."""

    raw: pd.DataFrame
    source: str
    start: pd.Timestamp
    end: pd.Timestamp
    gaps: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(GAPS)))

    def sessions(self) -> Sessions:
        """Return the checked sessions within the time that was asked for."""
        return check(self.raw, source=self.source, window=(self.start, self.end))
