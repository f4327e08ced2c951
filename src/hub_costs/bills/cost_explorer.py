"""Cost Explorer's answers (GetCostAndUsage, one JSON document a page) as rows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pangeo_core.errors import BadInput

Row = dict[str, Any]


def read(pages: Sequence[Path]) -> list[Row]:
    """Return the rows of all pages; one page of the query must be its last.

    Pages of one query may come in any order. Every page but one carries a `NextPageToken`; if all
    do, the last page is missing and so is money.
    """
    rows: list[Row] = []
    open_ended = 0
    for page in pages:
        try:
            answer = json.loads(page.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{page} is not whole JSON.", why=str(error), fix="Fetch it again."
            ) from None
        answers = answer if isinstance(answer, list) else [answer]
        for part in answers:
            rows += rows_of(part, str(page))
        open_ended += sum("NextPageToken" in part for part in answers) - len(answers)
    if pages and open_ended == 0:
        raise BadInput(
            f"{pages[-1]}: the last page of Cost Explorer's answer is missing.",
            why="Every page given says that there is a next one.",
            fix="Fetch all pages: `cost fetch` does.",
        )
    return rows


def rows_of(answer: Any, where: str) -> list[Row]:
    """Return one answer's rows: start, end, amounts as the strings they came as, and its groups."""
    if not isinstance(answer, Mapping) or "ResultsByTime" not in answer:
        raise BadInput(
            f"{where} is not an answer of Cost Explorer: it has no ResultsByTime.",
            fix="Give the JSON of GetCostAndUsage.",
        )
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
            f"{where} is not an answer of Cost Explorer.",
            why=f"{type(error).__name__}: {error}",
            fix="Give the JSON of GetCostAndUsage as it came.",
        ) from None
    return rows


def _row(period: Mapping[str, Any], part: Mapping[str, Any], keys: Sequence[str]) -> Row:
    metrics = part["Metrics"]
    billed = metrics.get("UnblendedCost") or metrics.get("AmortizedCost")
    if billed is None:
        raise ValueError(f"no UnblendedCost among {', '.join(metrics)}")
    row = {
        "explorer_start": period["TimePeriod"]["Start"],
        "explorer_end": period["TimePeriod"]["End"],  # exclusive, as everywhere
        "explorer_amount": billed["Amount"],
        "explorer_amortised": (metrics.get("AmortizedCost") or billed)["Amount"],
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
    from hub_costs.bills.formats import tag_key

    return tag_key(group["Key"]) if group["Type"] == "TAG" else group["Key"].lower()
