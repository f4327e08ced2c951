"""The replay of one pool of nodes, event by event; compiled by numba.

`records` has the things, `nodes` and `pods` what can happen to them, `events` the loop. Only the
loop, `run`, is kept in numba's cache on disk, with all that it calls compiled into it.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hub_costs.whatif.kernel.records import COUNT as COUNT
from hub_costs.whatif.kernel.records import LIFE as LIFE
from hub_costs.whatif.kernel.records import NODE as NODE
from hub_costs.whatif.kernel.records import POD as POD
from hub_costs.whatif.kernel.records import SETTINGS, record
from hub_costs.whatif.kernel.records import SHAPE as SHAPE
from hub_costs.whatif.kernel.records import STRETCH as STRETCH
from hub_costs.whatif.kernel.records import World as World
from pangeo_core.files import digest


def run(world: World, arrivals: npt.NDArray[np.int64]) -> None:
    """Replay one pool: fill in the arrays of `world` until all pods have run or given up.

    numba is imported here: whoever reads a configuration, or its floor, spares 80 MB and a second.
    """
    from hub_costs.whatif.kernel import events

    events.run(world, arrivals)


def new_settings() -> npt.NDArray[np.void]:
    """Return settings to fill in."""
    return np.zeros(1, settings_record(Path(__file__).parent))


@cache
def settings_record(folder: Path) -> np.dtype[np.void]:
    """Return the record of `SETTINGS`, with one field more that names the sources in `folder`.

    numba's cache notices changes in the file of `run` only; the types that it is called with are
    part of the cache's key. So a change in any file here is another type, and compiled anew.
    """
    return record(f"{SETTINGS} sources_{digest(folder, folder.glob('*.py'))[:16]}")
