"""Read mybinder.org's daily cost out of the figures of its published billing notebook.

    python tools/read_mybinder.py NOTEBOOK > data/mybinder_daily.csv

`NOTEBOOK` is `analyze_data.ipynb` of jupyterhub/binder-billing (MIT licence), whose figure "Daily
cost" holds the numbers of both projects (production and staging). They are summed by day.
"""

import argparse
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

PLOTLY = "application/vnd.plotly.v1+json"


def daily(notebook: Path) -> dict[str, Decimal]:
    """Return date -> USD from the notebook's first figure titled "Daily cost"."""
    cells = json.loads(notebook.read_text(encoding="utf-8"), parse_float=Decimal)["cells"]
    figures = [
        output["data"][PLOTLY]
        for cell in cells
        for output in cell.get("outputs", ())
        if PLOTLY in output.get("data", {})
    ]
    figure = next(f for f in figures if f["layout"]["title"]["text"] == "Daily cost")
    days: dict[str, Decimal] = defaultdict(Decimal)
    for trace in figure["data"]:
        for moment, usd in zip(trace["x"], trace["y"], strict=True):
            days[moment[:10]] += Decimal(usd)
    return dict(sorted(days.items()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    found = daily(parser.parse_args().notebook)
    print(
        "# Source: jupyterhub/binder-billing (MIT), analyze_data.ipynb, commit 03da4fa, its figure"
    )
    print(
        "# 'Daily cost': all that mybinder.org cost on Google's cloud, USD; days of Pacific time."
    )
    print("date,usd")
    for day, usd in found.items():
        print(f"{day},{usd:.2f}")


if __name__ == "__main__":
    main()
