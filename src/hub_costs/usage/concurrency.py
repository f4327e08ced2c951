"""How much time of many intervals lies in each hour, exactly."""

import numpy as np
import numpy.typing as npt

HOUR = 3_600_000  # ms
Integers = npt.NDArray[np.int64]


def hourly(
    start: Integers, end: Integers, hours: int, weight: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Return how many ms (times `weight`) of the intervals lie in each of the first `hours` hours.

    Times are ms; the first hour starts at 0 and takes in what is before it. Computed from the
    cumulative time before each hour's end: nothing is sampled, so nothing is counted twice. Without
    weights the result is in whole ms.
    """
    edges = np.arange(hours + 1, dtype=np.int64) * HOUR
    edges[0] = min(0, int(start.min())) if len(start) else 0
    before = np.zeros(hours + 1, dtype=np.int64 if weight is None else np.float64)
    for moments, sign in ((start, 1), (end, -1)):
        order = np.argsort(moments, kind="stable")
        each = np.ones(len(order), np.int64) if weight is None else weight[order]
        count = np.r_[0, np.cumsum(each)]
        summed = np.r_[0, np.cumsum(each * moments[order])]
        place = np.searchsorted(moments[order], edges)
        before = before + sign * (edges * count[place] - summed[place])
    return np.diff(before)


def most_at_once(start: Integers, end: Integers) -> int:
    """Return how many intervals overlap at most; one that ends as another starts does not."""
    change = np.r_[np.ones(len(start), np.int64), -np.ones(len(end), np.int64)]
    order = np.lexsort((change, np.r_[start, end]))
    return int(np.cumsum(change[order]).max(initial=0))
