"""Read the charts of NASA Openscapes' monthly AWS usage reports into the tables under data/.

The PDFs are vector graphics and not ours to commit. Clone NASA-Openscapes/2i2cAccessPolicies, then

    uv run --with pymupdf --with numpy python tools/read_openscapes.py \
        2i2cAccessPolicies/aws-usage-report/reports data

rewrites the tables (their lines of citation stay). data/README.md says how sure the numbers are.
"""

import csv
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf  # type: ignore[import-not-found,import-untyped,unused-ignore]

MONTHS = [f"2024-{n:02d}" for n in range(7, 13)] + ["2025-01"]
STEP = 0.01  # points: the steps in which the charts' coordinates are stored
Row = tuple[Any, ...]


class Page:
    """A page's drawings: filled rectangles with their legends, tick marks, labels."""

    def __init__(self, page: Any) -> None:
        """Take apart `page` (of pymupdf)."""
        self.words = page.get_text("words")
        blocks = [b for b in page.get_text("dict")["blocks"] if b["type"] == 0]
        lines = [line for block in blocks for line in block["lines"]]
        self.labels = [(x["bbox"], "".join(s["text"] for s in x["spans"])) for x in lines]
        drawings = page.get_drawings()
        strokes = [d for d in drawings if d["type"] == "s"]
        self.lines = [d for d in strokes if len(d["items"]) >= 4 and d["rect"].width > 200]
        flat = [d["rect"] for d in strokes]
        self.y_ticks = [r.y0 for r in flat if abs(r.height) < 1e-6 and r.width < 3.5]
        self.x_ticks = [(r.x0, r.y0) for r in flat if abs(r.width) < 1e-6 and r.height < 3.5]
        self.names: dict[Any, str] = {}
        self.bars = []
        for drawing in drawings:
            if drawing["type"] == "f" and drawing["fill"] != (1, 1, 1):
                rect, colour = drawing["rect"], drawing["fill"]
                square = abs(rect.width - rect.height) < 0.3 and 11 < rect.width < 18
                text = self._beside(rect) if square else None
                if text:
                    self.names.setdefault(colour, text.replace("\N{MINUS SIGN}", "-"))
                else:
                    self.bars.append((rect, colour))

    def _beside(self, rect: Any) -> str | None:
        middle = (rect.y0 + rect.y1) / 2
        for (x0, y0, _, y1), text in self.labels:
            if rect.x1 - 1 < x0 < rect.x1 + 15 and y0 < middle < y1:
                return str(text)
        return None

    def usd(self, top: float, bottom: float) -> tuple[float, float]:
        """Return slope and offset of the vertical axis between two heights, from its ticks."""
        points = []
        for x0, y0, x1, y1, text, *_ in self.words:
            if x1 < 140 and x0 > 50 and top < y0 < bottom and re.fullmatch(r"\d+(\.\d+)?", text):
                middle = (y0 + y1) / 2
                points.append((min(self.y_ticks, key=lambda y: abs(y - middle)), float(text)))
        return fit(points)


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return slope and offset of the straight line through `points`."""
    slope, offset = np.polyfit([x for x, _ in points], [y for _, y in points], 1)
    return float(slope), float(offset)


def monthly(report: str, page: Page) -> tuple[list[Row], list[Row], float]:
    """Return services by month, totals by month, and the USD of one step of the bars."""
    split = next(w[1] for w in page.words if w[4] == "Monthly" and w[0] > 120 and w[1] > 250)
    slope, _ = page.usd(split, 480)
    places = sorted({round(rect.x0) for rect, _ in page.bars})
    year, number = int(report[:4]), int(report[5:])
    shown = [year * 12 + number - len(places) + n for n in range(len(places))]
    months = [f"{n // 12}-{n % 12 + 1:02d}" for n in shown]
    bars = [
        (report, months[places.index(round(r.x0))], page.names[c], f"{abs(slope * r.height):.2f}")
        for r, c in page.bars
    ]
    slope2, offset = page.usd(150, split)
    (line,) = page.lines
    heights = [line["items"][0][1].y, *(item[2].y for item in line["items"])]
    totals = [
        (report, month, f"{slope2 * y + offset:.2f}")
        for month, y in zip(months, heights, strict=True)
    ]
    return sorted(bars), totals, abs(slope) * STEP


def daily(report: str, page: Page) -> list[Row]:
    """Return date, instance type, USD and hours of each bar of the two daily charts."""
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    first = date.fromisoformat(f"{report}-01")
    axes = sorted({round(y) for _, y in page.x_ticks})[:2]  # a third chart follows below
    for kind, axis in zip(("hours", "usd"), axes, strict=True):
        ticks = [x for x, y in page.x_ticks if round(y) == axis]
        points = []
        for (x0, y0, x1, _), text in page.labels:
            if re.fullmatch(r"[A-Z][a-z]{2} \d\d", text) and 0 < y0 - axis < 20:
                middle = (x0 + x1) / 2
                years = (f"{first.year + n} {text}" for n in (-1, 0, 1))  # a label names no year
                days = [(datetime.strptime(y, "%Y %b %d").date() - first).days for y in years]
                points.append((min(ticks, key=lambda x: abs(x - middle)), min(days, key=abs)))
        slope, offset = fit(points)
        height, _ = page.usd(axis - 140, axis)
        for rect, colour in page.bars:
            if axis - 150 < rect.y0 < axis:
                day = first + timedelta(days=round(slope * (rect.x0 + rect.x1) / 2 + offset))
                found[day.isoformat(), page.names[colour]][kind] = abs(height * rect.height)
    return [(*key, f"{v['usd']:.3f}", f"{v['hours']:.3f}") for key, v in sorted(found.items())]


def main(reports: Path, out: Path) -> None:
    """Read all reports and rewrite the four tables in `out`."""
    tables: dict[str, list[Row]] = defaultdict(list)
    for report in MONTHS:
        with pymupdf.open(next(reports.glob(f"*{report}.pdf"))) as document:
            month, days = (
                Page(next(page for page in document if heading in page.get_text()))
                for heading in HEADINGS
            )
            services, totals, step = monthly(report, month)
            made = datetime.strptime(document.metadata["creationDate"][2:16], "%Y%m%d%H%M%S")
            tables["openscapes_daily_ec2"] += daily(report, days)
        tables["openscapes_services_by_report"] += services
        tables["openscapes_totals_by_report"] += totals
        tables["openscapes_reports"].append((report, f"{step:.3f}", f"{made.isoformat()}Z"))
    for name, rows in tables.items():
        file = out / f"{name}.csv"
        head = [line for line in file.read_text().splitlines() if line.startswith("#")]
        columns = file.read_text().splitlines()[len(head)]
        with file.open("w", newline="") as stream:
            stream.write("\n".join([*head, columns]) + "\n")
            csv.writer(stream, lineterminator="\n").writerows(rows)


HEADINGS = ("Monthly cost of AWS Services", "Daily EC2 usage")

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
