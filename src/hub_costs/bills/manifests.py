"""Read the manifests of exports: which files each names, and its time and month."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub_costs.bills.bill_files import Listing

_DATA = (".csv", ".csv.gz", ".parquet")
_IDS = ("assemblyId", "executionId", "runId", "reportId")
# The name of an execution's folder, which begins with its time.
EXECUTION_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d[:-]?\d\d[:-]?\d\d)(?:\.\d+)?Z?-[0-9a-fA-F-]{8,}$"
)


@dataclass(frozen=True)
class Manifest:
    """One manifest: the delivery's id and time (seconds since 1970), its month, and its files."""

    location: str
    id: str
    time: float
    period: str
    export: str  # what its deliveries replace one another in
    keys: tuple[str, ...]


def by_export(listing: Listing) -> dict[tuple[str, str], list[Manifest]]:
    """Return the manifests of each export and period, the one that speaks last."""
    found: dict[tuple[str, str], dict[str, Manifest]] = defaultdict(dict)
    for location, document, modified in listing.manifests:
        manifest = _parse(location, document, modified)
        if manifest is None:
            continue
        same = found[manifest.export, manifest.period]
        key = manifest.id or location
        # A legacy CUR writes the manifest of its newest assembly once more, above its folder.
        if key not in same or location.count("/") < same[key].location.count("/"):
            same[key] = manifest
    return {
        export: sorted(same.values(), key=lambda m: (_above(m), m.time, m.location))
        for export, same in found.items()
    }


def _above(manifest: Manifest) -> bool:
    """Whether a manifest lies above the folder of its delivery: the export's own pointer."""
    return bool(manifest.id) and manifest.id not in manifest.location.rsplit("/", 1)[0]


def _parse(location: str, document: dict[str, Any], modified: float) -> Manifest | None:
    keys = tuple(dict.fromkeys(_data_files(document)))
    if not keys:
        return None
    name = next((str(found) for key in _IDS if (found := _deep(document, key))), "")
    written = _deep(document, "submittedTime") or ""
    folder = location.rsplit("/", 1)[0]
    match = EXECUTION_TIME.search(folder)
    time = moment(match[1]) if match else moment(str(written)) if written else modified
    period = _deep(document, "billingPeriod") or {}
    start = period.get("start", "") if isinstance(period, dict) else str(period)
    start = start or str(_deep(document, "startDate") or "")
    if match := re.search(r"BILLING_PERIOD=(\d{4}-\d\d)", location):
        start = match[1]
    month = re.sub(r"[^0-9]", "", start)[:6]
    export = folder if not name else folder.split(f"/{name}", 1)[0]
    # An export's runs lie side by side, each in a folder named by its run (Azure: in one named by
    # its time).
    export = re.sub(r"/\d{12}$", "", EXECUTION_TIME.sub("", export).rstrip("/"))
    return Manifest(location, name, time or modified, month, export, keys)


def _data_files(document: Any) -> Iterator[str]:
    """Yield every file that a manifest names, wherever it names it."""
    if isinstance(document, dict):
        for value in document.values():
            yield from _data_files(value)
    elif isinstance(document, list):
        for value in document:
            yield from _data_files(value)
    elif isinstance(document, str) and document.lower().endswith(_DATA):
        yield document


def _deep(document: Any, key: str) -> Any:
    """Return the first value of `key` in nested objects, or None."""
    if isinstance(document, dict):
        if document.get(key):
            return document[key]
        return next((v for child in document.values() if (v := _deep(child, key))), None)
    return None


def moment(text: str) -> float:
    """Return a timestamp's seconds since 1970, 0 for text that is none."""
    digits = re.sub(r"[^0-9]", "", text)[:14]
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
