"""What pods used: cores and memory, from cAdvisor's samples as Prometheus keeps them.

cAdvisor knows a pod by its name only, and a person's next server has the same: a stretch between
two samples belongs to the pod that was seen under this name then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

CONTAINERS = '{container=~"notebook|dask-.*"}'
CPU = f"container_cpu_usage_seconds_total{CONTAINERS}"
MEMORY = f"container_memory_working_set_bytes{CONTAINERS}"
LONGEST = 300.0  # seconds: between samples further apart nothing is known

Floats = npt.NDArray[np.float64]


@dataclass
class Use:
    """One pod's use so far: core-seconds and byte-seconds, and the seconds that they are of."""

    total: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def mean(self, metric: str) -> float | None:
        """Return the mean use over the time that was observed; None where nothing was."""
        seconds = self.seconds.get(metric, 0.0)
        return self.total[metric] / seconds if seconds else None

    def add(self, metric: str, amounts: Floats, lengths: Floats) -> None:
        """Add stretches: what was used in each, and how long it was."""
        self.total[metric] = self.total.get(metric, 0.0) + float(amounts.sum())
        self.seconds[metric] = self.seconds.get(metric, 0.0) + float(lengths.sum())


class Stretches:
    """Turns samples, chunk after chunk, into stretches; remembers each series' last sample."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ...], tuple[float, float]] = {}

    def of(
        self, metric: str, labels: Mapping[str, str], values: Iterable[Any]
    ) -> tuple[Floats, Floats, Floats]:
        """Return begin, end and amount of each stretch of one series.

        A counter that falls was reset (its container started again): what it shows then is new. A
        stretch of memory is its length times the mean of both ends.
        """
        key = (metric, *(f"{name}={labels[name]}" for name in sorted(labels)))
        pairs = [(float(t), float(v)) for t, v in values if np.isfinite(float(v))]
        if key in self._last:
            pairs.insert(0, self._last[key])
        if not pairs:
            return np.empty(0), np.empty(0), np.empty(0)
        self._last[key] = pairs[-1]
        times, numbers = np.array(pairs).T
        if metric == CPU:
            amounts = np.diff(numbers)
            amounts = np.where(amounts < 0, numbers[1:], amounts)
        else:
            amounts = np.diff(times) * (numbers[1:] + numbers[:-1]) / 2
        near = (np.diff(times) > 0) & (np.diff(times) <= LONGEST)
        return times[:-1][near], times[1:][near], amounts[near]
