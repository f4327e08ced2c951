"""What the compiled replay knows: one record array for each kind of thing, and its constants.

Times are integer milliseconds, cores thousandths, memory MiB: sums are exact and ties have one
meaning. Nothing grows: where an array is full, `w.count.full` is set, every step stops, and the
caller starts anew with larger ones.
"""

from collections import namedtuple
from typing import Any

import numpy as np

# numba compiles a function once more for each literal it is called with: pass these instead.
NONE, ZERO, ONE = np.int64(-1), np.int64(0), np.int64(1)
READY_NOW, ANY = np.int64(1), np.int64(4)  # how many tiers of `best` count
FOREVER = np.int64(2**62)
POD_ENDS, NODE_TAKEN, NODE_IDLE = 0, 1, 2  # events at one instant happen in this order
RECHECK = 600_000  # ms after which an idle node that was kept on purpose is judged again

# Within `run` everything is integers that never divide by nothing, called from compiled code only:
# without Python's own entrance and its check of each division, compiling takes half as long.
INNER: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}


def record(fields: str) -> np.dtype:
    """Return a record of these fields. One type for all: another would compile all once more."""
    return np.dtype([(name, "i8") for name in fields.split()])


# One pool's settings; `share` is in ten-thousandths, `below` in thousandths of a node.
SETTINGS = (
    "start pull pod_start down_delay give_up zones zone_max pack hold hold_cpu hold_mem"
    " min_nodes below share mean_life seed horizon"
)
SHAPE = record("cpu mem pods")
# A node slot, used again when its node is gone. Free room has placeholders taken off already.
NODE = record("usable expire take cpu mem pods shape zone spot head count held life at")
# `next` and `prev` link pods on one node, or in the queue. `first` is -1 until a pod first runs.
POD = record(
    "left ready end since queued first waited slot next prev taken moved done cpu mem zone"
)
LIFE = record("start end shape zone spot taken")
STRETCH = record("start end pod life")
COUNT = record("full slots live lives stretches head tail queued done missing spare")

World = namedtuple("World", "set shapes nodes pods lives stretches zones live spare count")
