"""Model how many people a budget supports: data/budget_answers.csv.

    python tools/model_budgets.py

For each style of use, budget, longest wait and memory of a server: the median over SEEDS months and
a 90 % interval, by the function that `pangeo-deploy whatif --budget` calls. It takes some minutes.
"""

import csv
import io
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from itertools import product

from hub_costs.whatif.budget_answer import Load, supported
from pangeo_core.files import write_whole
from pangeo_deploy.deployment import find_project

STYLES = ("class",)
BUDGETS_USD = (500, 1000, 2000)
WAITS_SECONDS = (60, 300)
MEMORY_GIB = (2, 7)
SEEDS = 5
HEAD = f"""# How many people a monthly budget supports, 5 GiB of home each.
# Median over {SEEDS} months, 90 % interval. Modelled by tools/model_budgets.py;
# `pangeo-deploy whatif --model STYLE --budget USD` computes a row.
"""
COLUMNS = ("style", "memory_gib", "budget_usd", "wait_s", "people", "low", "high", "typical")


def row(key: tuple[str, int, int, int]) -> tuple[object, ...]:
    """Return the row of one style, budget, wait and memory."""
    style, budget, wait, memory = key
    load = Load(style, memory_gib=memory)
    answer = supported(load, Decimal(budget), wait, seeds=SEEDS, workers=1)
    fit = answer.typical.configuration if answer.typical else ""
    return (style, memory, budget, wait, answer.people, answer.low, answer.high, fit)


def main() -> None:
    """Model every row and write the table."""
    keys = list(product(STYLES, BUDGETS_USD, WAITS_SECONDS, MEMORY_GIB))
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, keys))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_whole(find_project() / "data" / "budget_answers.csv", HEAD + text.getvalue())


if __name__ == "__main__":
    main()
