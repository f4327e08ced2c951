"""Bring bills here: the export from its bucket, Cost Explorer's answer for reconciliation."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.bills.bill_files import ARCHIVES, kind_of
from hub_costs.bills.cost_explorer import PAGE
from hub_costs.months import Interval
from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite
from pangeo_core.files import write_whole

USD_PER_PAGE = Decimal("0.01")  # AWS Cost Explorer, each request and each further page
CALLS_A_DAY = 2
_MARK = ".etag"  # beside a fetched file: what it was in the bucket


@dataclass(frozen=True)
class Fetched:
    """What was fetched: files that are now here, and what asking cost.

    `removed` are files of earlier fetches that the bucket no longer has, `left` objects that are
    not read and were not fetched.
    """

    files: tuple[Path, ...]
    pages: int
    usd: Decimal
    removed: tuple[Path, ...] = ()
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost fetch`."""
        return {
            "files": [str(file) for file in self.files],
            "pages": self.pages,
            "usd": format(self.usd, "f"),
            "removed": [str(file) for file in self.removed],
            "left": list(self.left),
        }


def fetch_export(url: str, out: Path, client: Any) -> Fetched:
    """Make `out` a mirror of the export under `url` (`s3://bucket/prefix`).

    Each file comes whole or not at all, as old as it is in the bucket; files that are here already
    with the same content are left; files that an earlier fetch brought and the bucket no longer has
    are removed, since they would count as parts of the bill. `client` is a boto3 S3 client. Raises
    `MissingPrerequisite` where the bucket may not be read, `BadInput` where it has no bill.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if not url.startswith("s3://"):
        raise BadInput(f"{url} is not a bucket.", fix="Write s3://BUCKET/PREFIX.")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    files: list[Path] = []
    left: list[str] = []
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if kind_of(item["Key"]) is not None:
                    files.append(_fetch(item, bucket, out, client))
                elif item["Key"].lower().endswith(ARCHIVES):
                    left.append(f"s3://{bucket}/{item['Key']}")
    except (BotoCoreError, ClientError) as error:
        raise MissingPrerequisite(
            f"{url} cannot be read.",
            why=str(error),
            fix="Check the bucket's name, and that you may s3:ListBucket and s3:GetObject on it.",
        ) from None
    if not files:
        raise BadInput(f"There is no bill under {url}.", fix="Exports appear within a day.")
    removed = tuple(_remove_stale(out, prefix, set(files)))
    return Fetched(tuple(files), 0, Decimal(0), removed, tuple(left))


def _fetch(item: dict[str, Any], bucket: str, out: Path, client: Any) -> Path:
    """Bring one object here, unless it is here already, and return its file."""
    file = out / str(item["Key"])
    if not file.resolve().is_relative_to(out.resolve()):
        raise BadInput(f"The key {item['Key']!r} leads out of {out}.", fix="Rename it.")
    mark = file.with_name(file.name + _MARK)
    if not (file.is_file() and mark.is_file() and mark.read_text() == item["ETag"]):
        part = file.with_name(f".{file.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, item["Key"], str(part))
        part.replace(file)
        write_whole(mark, item["ETag"])
    if "LastModified" in item:  # the age of a delivery is that of its object
        moment = item["LastModified"].timestamp()
        os.utime(file, (moment, moment))
    return file


def _remove_stale(out: Path, prefix: str, files: set[Path]) -> Iterator[Path]:
    """Remove and yield what earlier fetches of `prefix` brought and is no longer in the bucket."""
    for mark in sorted(out.rglob(f"*{_MARK}")):
        file = mark.with_name(mark.name.removesuffix(_MARK))
        key = file.relative_to(out).as_posix()
        if file not in files and key.startswith(prefix):
            file.unlink(missing_ok=True)
            mark.unlink()
            yield file


def fetch_explorer(
    client: Any,
    interval: Interval,
    out: Path,
    *,
    group_by: Sequence[str] = ("SERVICE",),
    now: datetime | None = None,
) -> Fetched:
    """Ask Cost Explorer (a boto3 `ce` client) for daily cost and write each page to `out`.

    All pages are fetched; `interval` is half-open, as the interface is. Every request is written to
    `out`/explorer-calls.json before it is sent; the third query of a day is refused with
    `CheckFailed`, since each page costs `USD_PER_PAGE`. `group_by` is at most two dimensions, or
    `TAG:key`.
    """
    if not 0 < len(group_by) <= 2:
        raise BadInput("Cost Explorer groups by one or two keys.", fix="Give one or two.")
    moment = now or datetime.now(UTC)
    day = moment.date().isoformat()
    ledger = out / "explorer-calls.json"
    calls = json.loads(ledger.read_text()) if ledger.is_file() else []
    if sum(call["day"] == day for call in calls) >= CALLS_A_DAY:
        raise CheckFailed(
            f"Cost Explorer was asked {CALLS_A_DAY} times today already.",
            why=f"Each page costs {USD_PER_PAGE} USD; {ledger} has the record.",
            fix="Use the pages that are there, or the export: it costs nothing to read.",
        )
    request = {
        "TimePeriod": {
            "Start": interval.start.date().isoformat(),
            "End": interval.end.date().isoformat(),  # exclusive, like the interval's
        },
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost", "AmortizedCost", "NetUnblendedCost"],
        "GroupBy": [_group(key) for key in group_by],
    }
    call: dict[str, Any] = {"day": day, "pages": 0, "usd": "0.00", "request": request}
    calls.append(call)
    stamp = moment.strftime("%Y%m%dT%H%M%S")
    pages: list[str] = []
    token: str | None = None
    while True:
        call["pages"] += 1
        call["usd"] = format(USD_PER_PAGE * call["pages"], "f")
        write_whole(ledger, json.dumps(calls, indent=1))
        answer = client.get_cost_and_usage(**request, **({"NextPageToken": token} if token else {}))
        answer.pop("ResponseMetadata", None)
        pages.append(json.dumps(answer, default=str))
        token = answer.get("NextPageToken")
        if not token:
            break
    # only a whole answer is written: its last page is what `ingest` looks for
    files = tuple(out / PAGE.format(stamp=stamp, number=n) for n in range(len(pages)))
    for file, text in zip(files, pages, strict=True):
        write_whole(file, text)
    return Fetched(files, len(pages), USD_PER_PAGE * len(pages))


def _group(key: str) -> dict[str, str]:
    if key.startswith("TAG:"):
        return {"Type": "TAG", "Key": key.removeprefix("TAG:")}
    return {"Type": "DIMENSION", "Key": key}
