"""Bring bills here: the export from its bucket, Cost Explorer's answer for reconciliation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_costs.bills.bill_files import kind_of
from hub_costs.months import Interval
from pangeo_core.errors import BadInput, CheckFailed, MissingPrerequisite
from pangeo_core.files import write_whole

USD_PER_PAGE = Decimal("0.01")  # AWS Cost Explorer, each request and each further page
CALLS_A_DAY = 2


@dataclass(frozen=True)
class Fetched:
    """What was fetched: files that are now here, and what asking cost."""

    files: tuple[Path, ...]
    pages: int
    usd: Decimal

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `cost fetch`."""
        return {
            "files": [str(file) for file in self.files],
            "pages": self.pages,
            "usd": format(self.usd, "f"),
        }


def fetch_export(url: str, out: Path, client: Any) -> Fetched:
    """Copy the export under `url` (`s3://bucket/prefix`) to `out`, each file whole or not at all.

    Files that are here already with the same content are left. `client` is a boto3 S3 client.
    Raises `MissingPrerequisite` where the bucket may not be read, `BadInput` where it has no bill.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if not url.startswith("s3://"):
        raise BadInput(f"{url} is not a bucket.", fix="Write s3://BUCKET/PREFIX.")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    files = []
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if kind_of(item["Key"]) is None:
                    continue
                file = out / item["Key"]
                if not file.resolve().is_relative_to(out.resolve()):
                    raise BadInput(f"The key {item['Key']!r} leads out of {out}.", fix="Rename it.")
                mark = file.with_name(file.name + ".etag")
                if not (file.is_file() and mark.is_file() and mark.read_text() == item["ETag"]):
                    part = file.with_name(f".{file.name}.part")
                    part.parent.mkdir(parents=True, exist_ok=True)
                    client.download_file(bucket, item["Key"], str(part))
                    part.replace(file)
                    write_whole(mark, item["ETag"])
                files.append(file)
    except (BotoCoreError, ClientError) as error:
        raise MissingPrerequisite(
            f"{url} cannot be read.",
            why=str(error),
            fix="Check the bucket's name, and that you may s3:ListBucket and s3:GetObject on it.",
        ) from None
    if not files:
        raise BadInput(f"There is no bill under {url}.", fix="Exports appear within a day.")
    return Fetched(tuple(files), 0, Decimal(0))


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
        "Metrics": ["UnblendedCost", "AmortizedCost"],
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
    files = tuple(out / f"explorer-{stamp}-{n}.page.json" for n in range(len(pages)))
    for file, text in zip(files, pages, strict=True):
        write_whole(file, text)
    return Fetched(files, len(pages), USD_PER_PAGE * len(pages))


def _group(key: str) -> dict[str, str]:
    if key.startswith("TAG:"):
        return {"Type": "TAG", "Key": key.removeprefix("TAG:")}
    return {"Type": "DIMENSION", "Key": key}
