"""Small sessions and configurations, chosen so that answers can be worked out by hand.

A node is an r5.xlarge without daemons: 3.92 cores and 31,775 MiB are left for pods. Two pods of
1.9 cores fill it, one of 3 cores leaves no room for another. A new node takes 120 s until usable,
every pod 5 s more; an empty node goes after 50 s.
"""

import pandas as pd

from hub_costs.usage import check
from hub_costs.whatif import Config, Pool
from hub_costs.whatif.replay import replay

ZERO = pd.Timestamp("2024-07-01", tz="UTC")


def at(seconds):
    return ZERO + pd.Timedelta(milliseconds=round(seconds * 1000))


def sessions(*rows, window=None, **more):
    """Sessions from (start, end) seconds, each of another person unless a third part says else."""
    table = []
    for number, (start, end, *rest) in enumerate(rows):
        values = {"user": f"u{number}", "hub": "hub", "kind": "notebook"}
        values |= {"start": at(start), "end": at(end), "cpu_cores": 1.9, "memory_gib": 1.0}
        values |= {"node_type": "", "capacity": "on-demand", **more, **(rest[0] if rest else {})}
        table.append(values)
    bounds = (at(window[0]), at(window[1])) if window else None
    return check(pd.DataFrame(table), window=bounds)


def config(zones=1, culling=None, **changes):
    values = {
        "name": "users",
        "kinds": ("notebook", "dask-scheduler", "binder", "dask-worker"),
        "node_start_seconds": 100,
        "image_pull_seconds": 20,
        "pod_start_seconds": 5,
        "scale_down_delay_seconds": 50,
        "daemon_cpu_cores": 0,
        "daemon_memory_gib": 0,
    }
    extra = {"culling": culling} if culling else {}
    return Config(zones=zones, pools=(Pool(**{**values, **changes}),), **extra)


def run(load, **changes):
    """Replay in one pool."""
    (only,) = replay(load, config(**changes))
    return only


def lives(result):
    """Each node's start and end in seconds, in order of start."""
    return [(int(a) / 1000, int(b) / 1000) for a, b in result.lives[["start", "end"]].tolist()]


def waits(result):
    return [w / 1000 for w in result.waits.tolist()]
