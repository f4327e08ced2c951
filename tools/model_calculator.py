"""Model the table that the book's calculator interpolates: data/calculator.csv.

    python tools/model_calculator.py

For each style of use, number of people, memory and room held ready: what users' machines cost a
month on the cheapest of the node types, how long people wait for a server, and how many servers
run at most. Medians over SEEDS months. All of it is modelled; it takes some minutes of two cores.
"""

import csv
import io
import math
import statistics
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from hub_costs.usage.concurrency import most_at_once
from hub_costs.usage.sessions import Sessions
from hub_costs.whatif import arrivals
from hub_costs.whatif.budget_answer import NODE_TYPES, PERCENTILE, Load, lean_hub, serving
from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project

STYLES = ("class", "group", "hackweek")
PEOPLE = (5, 20, 80, 320)
MEMORY_GIB = (1, 4, 16)
ROOM = (0.0, 0.1, 0.3)
SEEDS = (1, 2, 3)
CORES_PER_GIB = 0.25
DAY = 86_400.0  # seconds: any wait will do
COLUMNS = ("style", "people", "memory_gib", "room", "users_usd", "wait_s", "servers_at_once")
HEAD = """# What the book's calculator interpolates: users' machines (USD a month),
# 95th-percentile wait (s), most servers at once.
# Modelled by tools/model_calculator.py: medians over {seeds} months on the cheapest of {types}.
"""


def cell(key: tuple[str, int, int, float]) -> list[str]:
    """Return the row of one cell."""
    style, people, memory, room = key
    load = Load(style, memory_gib=memory, cpu_cores=CORES_PER_GIB * memory, home_gib=0)
    found = []
    for seed in SEEDS:
        sessions = arrivals.generate(load.of(people), seed)
        ready = math.ceil(room * people)
        configs = [lean_hub(load, people, ready, kind) for kind in NODE_TYPES]
        way = min(serving(sessions, configs, DAY), key=lambda one: one.usd_per_month)
        users = way.usd_per_month - way.floor_usd_per_month
        found.append((float(users), float(way.wait(PERCENTILE) or 0), _at_once(sessions)))
    usd, wait, servers = (statistics.median(column) for column in zip(*found, strict=True))
    return [
        style,
        str(people),
        str(memory),
        str(room),
        f"{usd:.2f}",
        f"{wait:.0f}",
        f"{servers:.0f}",
    ]


def _at_once(sessions: Sessions) -> int:
    """Return the most servers that run at once."""
    edges = (sessions.table[name].astype("int64").to_numpy() for name in ("start", "end"))
    return most_at_once(*edges)


def main() -> None:
    """Model every cell and write the table."""
    keys = list(product(STYLES, PEOPLE, MEMORY_GIB, ROOM))
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(cell, keys, chunksize=4))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    head = HEAD.format(seeds=len(SEEDS), types=", ".join(NODE_TYPES))
    write_whole(find_project() / "data" / "calculator.csv", head + text.getvalue())


if __name__ == "__main__":
    main()
