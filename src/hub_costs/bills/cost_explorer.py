"""Cost Explorer's answers (GetCostAndUsage, one JSON document a page) as rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub_costs.bills.bill_files import Source
from pangeo_core.errors import BadInput

Row = dict[str, Any]
# The name that `cost fetch` gives a page: when Cost Explorer was asked, and the page's number.
PAGE = "explorer-{stamp}-{number}.page.json"
_FETCHED = re.compile(r"explorer-(\d{8}T\d{6})-\d+\.page\.json$")


@dataclass(frozen=True)
class Answer:
    """One whole answer: its pages, its rows, and the question that it answers.

    `question` names what the cost is grouped by, and its grain. `id` is when it was asked, where
    the name of its pages tells; `time` is that, or the age of its files.
    """

    label: str
    id: str
    time: float
    pages: tuple[Source, ...]
    rows: tuple[Row, ...]
    question: str


def answers(sources: Sequence[Source]) -> Iterator[Answer]:
    """Yield the answers that the pages in `sources` are.

    Pages of one answer may come in any order, and all but one carry a `NextPageToken`; if all do,
    the last page is missing and so is money. Raises `BadInput` there, and where a file is no page.
    """
    pages: dict[tuple[str, ...], list[tuple[Source, list[Any]]]] = defaultdict(list)
    for source in sources:
        parts = _parts(source)
        match = _FETCHED.search(source.location)
        folder = source.location.rpartition("/")[0]
        grouping = json.dumps(parts[0].get("GroupDefinitions") or [], sort_keys=True)
        pages[folder, match[1] if match else "", grouping].append((source, parts))
    for (_, asked, _), found in pages.items():
        found.sort(key=lambda page: page[0].location)
        for several in _split(found):
            files = tuple(source for source, _ in several)
            rows = tuple(
                row for source, parts in several for p in parts for row in rows_of(p, source)
            )
            time = max(file.modified for file in files)
            if asked:
                time = datetime.strptime(asked, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
            yield Answer(files[0].location, asked, time, files, rows, _question(several, rows))


def _parts(source: Source) -> list[Any]:
    """Return the answers in a file: one, or a list of them."""
    if source.location.startswith("s3://"):
        raise BadInput(
            f"{source.location}: Cost Explorer's answers are read from this machine only.",
            fix="Copy the file here first.",
        )
    try:
        answer = json.loads(Path(source.location).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{source.location} is not whole JSON.", why=str(error), fix="Fetch it again."
        ) from None
    parts = answer if isinstance(answer, list) else [answer]
    for part in parts:
        if not isinstance(part, Mapping) or "ResultsByTime" not in part:
            raise BadInput(
                f"{source.location} is not an answer of Cost Explorer: it has no ResultsByTime.",
                fix="Give the JSON of GetCostAndUsage.",
            )
    if not parts:
        raise BadInput(f"{source.location} is a bill without rows.", fix="Leave it out.")
    return parts


def _split(
    pages: list[tuple[Source, list[Any]]],
) -> Iterator[list[tuple[Source, list[Any]]]]:
    """Yield the answers in pages that ask one question: an answer ends with its last page."""
    last = [index for index, (_, parts) in enumerate(pages) if _is_last(parts)]
    if len(last) == 1:
        yield pages
        return
    start = 0
    for index in last:
        yield pages[start : index + 1]
        start = index + 1
    if start < len(pages):
        raise BadInput(
            f"{pages[-1][0].location}: the last page of Cost Explorer's answer is missing.",
            why="Every page given says that there is a next one.",
            fix="Fetch all pages: `cost fetch` does.",
        )


def _is_last(parts: list[Any]) -> bool:
    return any("NextPageToken" not in part for part in parts)


def _question(pages: list[tuple[Source, list[Any]]], rows: Sequence[Row]) -> str:
    """Return what an answer is grouped by, and its grain: only equal ones can be compared."""
    groups = pages[0][1][0].get("GroupDefinitions") or []
    keys = [f"{g.get('Type', '').lower()} {g.get('Key', '')}".strip() for g in groups]
    keys = [key.removeprefix("dimension ") for key in keys]
    spans = {
        (_time(row["explorer_end"]) - _time(row["explorer_start"])).total_seconds() / 3600
        for row in rows
    }
    longest = max(spans, default=24)
    grain = "hourly" if longest <= 1 else "daily" if longest <= 24 else "monthly"
    return f"by {' and '.join(keys) or 'nothing'}, {grain}"


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rows_of(answer: Any, source: Source) -> list[Row]:
    """Return one answer's rows: start, end, amounts as the strings they came as, and its groups."""
    keys = [_column(group) for group in answer.get("GroupDefinitions") or []]
    rows = []
    try:
        for period in answer["ResultsByTime"]:
            # With groups the total is empty; without, the total is the only row.
            parts = period.get("Groups") or [{"Keys": [], "Metrics": period.get("Total") or {}}]
            for part in parts:
                if part["Metrics"]:
                    rows.append(_row(period, part, keys))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{source.location} is not an answer of Cost Explorer.",
            why=f"{type(error).__name__}: {error}",
            fix="Give the JSON of GetCostAndUsage as it came.",
        ) from None
    return rows


def _row(period: Mapping[str, Any], part: Mapping[str, Any], keys: Sequence[str]) -> Row:
    metrics = part["Metrics"]
    billed = metrics.get("UnblendedCost") or metrics.get("AmortizedCost")
    if billed is None:
        raise ValueError(f"no UnblendedCost among {', '.join(metrics)}")
    for end in ("Start", "End"):
        _time(period["TimePeriod"][end])  # refuses what is no time
    row = {
        "explorer_start": period["TimePeriod"]["Start"],
        "explorer_end": period["TimePeriod"]["End"],  # exclusive, as everywhere
        "explorer_amount": billed["Amount"],
        "explorer_amortised": (metrics.get("AmortizedCost") or billed)["Amount"],
        "explorer_net": (metrics.get("NetUnblendedCost") or billed)["Amount"],
        "explorer_unit": billed["Unit"],
        "explorer_estimated": str(bool(period.get("Estimated", False))),
    }
    # A tag's key comes back as `tag$value`, with nothing after it where the tag is not set.
    values = [
        k.split("$", 1)[1] if n.startswith("tag_") else k
        for n, k in zip(keys, part["Keys"], strict=True)
    ]
    return row | dict(zip(keys, values, strict=True))


def _column(group: Mapping[str, str]) -> str:
    from hub_costs.bills.format_columns import tag_key

    return tag_key(group["Key"]) if group["Type"] == "TAG" else group["Key"].lower()
