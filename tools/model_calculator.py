"""Model the table that the book's calculator interpolates: data/calculator.csv.

    python tools/model_calculator.py

For each style of use, number of people, memory and room held ready: what users' machines cost a
month on the cheapest of the node types, how long people wait for a server, and how many servers
run at most. Medians over SEEDS months. Then CASES random cases are modelled and compared with what
the page interpolates; the table's head says how far off it is. All of it is modelled; it takes some
minutes of two cores.
"""

import csv
import io
import math
import random
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
PEOPLE = (5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320)
MEMORY_GIB = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16)
ROOM = (0.0, 0.1, 0.3)
SEEDS = (1, 2, 3)
CORES_PER_GIB = 0.25
CASES = 120
FLOOR = 160.0  # USD a month, about: the error is that of the whole answer
DAY = 86_400.0  # seconds: any wait will do
COLUMNS = ("style", "people", "memory_gib", "room", "users_usd", "wait_s", "servers_at_once")
HEAD = """# What the book's calculator interpolates: users' machines (USD a month),
# 95th-percentile wait (s), most servers at once.
# Modelled by tools/model_calculator.py: medians over {seeds} months on the cheapest of {types}.
# On {cases} random cases the whole cost that is interpolated is off by {half:.1%} (half of them at
# most), {nine:.1%} (nine in ten) and {worst:.1%} (the worst).
"""
Key = tuple[str, int, float, float]


def cell(key: Key) -> list[str]:
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


def some_cases() -> list[Key]:
    """Return random cases, half of them with a memory that the table has."""
    draw = random.Random(5)  # noqa: S311
    return [
        (
            draw.choice(STYLES),
            round(PEOPLE[0] * (PEOPLE[-1] / PEOPLE[0]) ** draw.random()),
            float(draw.choice(MEMORY_GIB))
            if draw.random() < 0.5
            else round(draw.uniform(1, 16), 1),
            draw.choice(ROOM),
        )
        for _ in range(CASES)
    ]


def interpolated(table: dict[Key, float], key: Key) -> float:
    """Return what the page shows of users' machines: book/published/calculator.js does the same."""
    style, people, memory, room = key
    (p0, p1, u), (m0, m1, v) = between(PEOPLE, people), between(MEMORY_GIB, memory)

    def each(p: int, m: float) -> float:
        return table[style, p, m, room] / p

    few = (1 - v) * each(p0, m0) + v * each(p0, m1)
    many = (1 - v) * each(p1, m0) + v * each(p1, m1)
    return people * ((1 - u) * few + u * many)


def between(steps: tuple[int, ...], value: float) -> tuple[int, int, float]:
    """Return the steps around a value, and where it lies between them on a logarithmic scale."""
    high = next((step for step in steps[1:] if step >= value), steps[-1])
    low = steps[steps.index(high) - 1]
    return low, high, math.log(value / low) / math.log(high / low)


def errors(rows: list[list[str]], cases: list[Key], truth: list[list[str]]) -> list[float]:
    """Return how far off the whole cost of each case is, as a share, the smallest first."""
    table = {(row[0], int(row[1]), float(row[2]), float(row[3])): float(row[4]) for row in rows}
    return sorted(
        abs(interpolated(table, case) - float(row[4])) / (float(row[4]) + FLOOR)
        for case, row in zip(cases, truth, strict=True)
    )


def main() -> None:
    """Model every cell and write the table."""
    keys, cases = list(product(STYLES, PEOPLE, MEMORY_GIB, ROOM)), some_cases()
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(cell, keys, chunksize=4))
        off = errors(rows, cases, list(pool.map(cell, cases, chunksize=4)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    head = HEAD.format(
        seeds=len(SEEDS),
        types=", ".join(NODE_TYPES),
        cases=CASES,
        half=off[CASES // 2],
        nine=off[CASES * 9 // 10],
        worst=off[-1],
    )
    write_whole(find_project() / "data" / "calculator.csv", head + text.getvalue())


if __name__ == "__main__":
    main()
