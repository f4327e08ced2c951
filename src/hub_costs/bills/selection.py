"""Decide which of several deliveries speaks for a month.

A line is identified by what it is for (`_KEY`), never by its amounts, tags or AWS's line id, which
is not stable between deliveries (AWS, CUR user guide, identity columns). Identity is used between
deliveries only: within one, equal lines are two lines.

Of two deliveries of a month, from one provider, whose accounts meet:

- in two formats, or answering two questions, or in two grains: refused, both named;
- without a common line: parts of one bill, both are read;
- with most of the older one's lines in newer ones: the newer ones replace it;
- with a few of them: refused, both named, since neither holds the whole.

The newer is the one that was delivered later, where the provider says when; between plain files the
one that reaches further, then that with more lines, then the younger file.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from hub_costs.bills.staging import REJECTED, Part
from hub_costs.bills.table import name_of, quote
from pangeo_core.errors import BadInput

_KEY = (
    *("ChargePeriodStart", "ChargePeriodEnd", "BillingAccountId", "SubAccountId", "ServiceName"),
    *("x_UsageType", "x_Operation", "ResourceId", "RegionId", "ChargeCategory", "x_LineType"),
    "x_Parent",
)
# What a line is for, whatever its time: to find one cost told in two grains.
_THING = tuple(name for name in _KEY if not name.startswith("ChargePeriod"))
MOST = Decimal("0.5")


@dataclass(frozen=True)
class Share:
    """What a delivery says of one month of one provider."""

    part: int
    month: date
    provider: str
    accounts: frozenset[str]  # empty where the lines do not say
    dialect: str
    cost: Decimal
    rows: int
    reaches: datetime
    time: float
    certain: bool  # the provider says when it was delivered
    label: str

    @property
    def scope(self) -> str:
        """The month and provider, for messages."""
        return f"{self.month:%Y-%m}" + (f" of {self.provider}" if self.provider else "")

    def meets(self, other: "Share") -> bool:
        """Whether both can hold the same cost."""
        return (
            (self.month, self.provider) == (other.month, other.provider)
            and not (self.accounts and other.accounts and not self.accounts & other.accounts)
        )  # fmt: skip


@dataclass(frozen=True)
class Superseded:
    """A delivery's share of a month that another one replaces."""

    share: Share
    by: Share


def shares(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> list[Share]:
    """Return what each staged delivery says of each month and provider."""
    found = []
    for number, part in enumerate(parts):
        rows = connection.execute(
            'SELECT "BillingPeriodStart", coalesce("ProviderName", \'\'),'
            ' list(DISTINCT coalesce("BillingAccountId", \'\')), sum("BilledCost"), count(*),'
            f' max("ChargePeriodStart") FROM read_parquet({quote(str(part.file))})'
            " WHERE \"x_View\" = 'both' GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        for month, provider, accounts, cost, count, reaches in rows:
            known = frozenset(accounts) if "" not in accounts else frozenset()
            delivery = part.delivery
            found.append(
                Share(
                    number, month, provider, known, part.dialect, cost, count, reaches,
                    delivery.time, bool(delivery.id), delivery.label,
                )
            )  # fmt: skip
    return found


def choose(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], found: Sequence[Share]
) -> tuple[list[Superseded], list[str]]:
    """Return which shares are replaced, and warnings. Raises `BadInput` where that is not clear."""
    superseded: list[Superseded] = []
    warnings: list[str] = []
    for share in found:
        part = parts[share.part]
        if len(part.readers) > 1 and not share.certain:
            warnings += _too_many_hours(connection, parts, share, [share.part])
    for rivals in _rivals(found):
        same_format(rivals)
        ordered = sorted(rivals, key=_rank(rivals))
        common = _common(connection, parts, ordered)
        gone = []
        for index, share in enumerate(ordered):
            covered, newest = _covered(index, common)
            if newest is None:
                _same_grain(connection, parts, share, ordered)
                continue
            if covered < MOST:
                other = ordered[newest]
                raise BadInput(
                    f"The bill of {share.scope} is in two files that agree in part:"
                    f" {share.label} ({share.cost}) and {other.label} ({other.cost}).",
                    why=f"{covered:.0%} of the first one's lines are in the second, so that neither"
                    " is the whole bill, and their sum counts lines twice.",
                    fix="Give one delivery of the month: the provider's newest, whole.",
                )
            gone.append(Superseded(share, ordered[newest]))
        superseded += gone
        left = {share.part for share in ordered} - {old.share.part for old in gone}
        if len(left) > 1:
            warnings += _too_many_hours(connection, parts, ordered[0], sorted(left))
    return superseded, warnings


def _rivals(found: Sequence[Share]) -> Iterator[list[Share]]:
    groups: dict[tuple[date, str], list[Share]] = defaultdict(list)
    for share in found:
        groups[share.month, share.provider].append(share)
    yield from (group for group in groups.values() if len(group) > 1)


def _rank(rivals: Sequence[Share]) -> Any:
    if all(share.certain for share in rivals):
        return lambda share: (share.time, share.part)
    return lambda share: (share.reaches, share.rows, share.time, share.part)


def same_format(rivals: Sequence[Share]) -> None:
    """Raise `BadInput` where deliveries of one month and account are in two formats."""
    for index, share in enumerate(rivals):
        for other in rivals[index + 1 :]:
            if share.meets(other) and share.dialect != other.dialect:
                raise BadInput(
                    f"The bill of {share.scope} comes as {share.dialect} and as {other.dialect}:"
                    f" {share.label} ({share.cost}) and {other.label} ({other.cost}).",
                    why="Both hold the same cost; together they would count it twice.",
                    fix="Give one of them, or ingest them into two folders.",
                )


def _read(parts: Sequence[Part], share: Share) -> str:
    return (
        f"(SELECT * FROM read_parquet({quote(str(parts[share.part].file))})"
        f" WHERE \"x_View\" <> '{REJECTED}' AND \"BillingPeriodStart\" = DATE '{share.month}'"
        f" AND coalesce(\"ProviderName\", '') = {quote(share.provider)})"
    )


def _hash(columns: Sequence[str]) -> str:
    return f"hash({', '.join(map(name_of, columns))})"


def _common(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], ordered: Sequence[Share]
) -> list[dict[int, Decimal]]:
    """Return for each share, by a newer one's place, what part of its lines is there first.

    A line that several newer ones have counts for the newest: the values add to what all have.
    """
    lines = " UNION ALL ".join(
        f"SELECT DISTINCT {place} AS place, {_hash(_KEY)} AS key FROM {_read(parts, share)}"
        for place, share in enumerate(ordered)
    )
    rows = connection.execute(
        "SELECT place, newest, count(*) FROM (SELECT place, max(place) OVER (PARTITION BY key)"
        f" AS newest FROM ({lines})) GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    counts: list[dict[int, int]] = [{} for _ in ordered]
    for place, newest, count in rows:
        counts[place][newest] = count
    return [
        {n: Decimal(c) / sum(of.values()) for n, c in of.items() if n != place}
        for place, of in enumerate(counts)
    ]


def _covered(index: int, common: list[dict[int, Decimal]]) -> tuple[Decimal, int | None]:
    """Return what part of a share's lines newer ones have, and which has most of them."""
    newer = common[index]
    if not newer:
        return Decimal(0), None
    return sum(newer.values(), Decimal(0)), max(newer, key=lambda place: newer[place])


def _same_grain(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    share: Share,
    ordered: Sequence[Share],
) -> None:
    """Raise `BadInput` where another share tells the same things by other lengths of time."""
    for other in ordered:
        if other.part == share.part:
            continue
        both, differ = connection.execute(
            "SELECT count(*), count(*) FILTER (a.span <> b.span) FROM"
            f" ({_spans(_read(parts, share))}) AS a"
            f" JOIN ({_spans(_read(parts, other))}) AS b USING (thing)"
        ).fetchall()[0]
        if differ * 2 > both:
            raise BadInput(
                f"The bill of {share.scope} comes in two grains:"
                f" {share.label} ({share.cost}) and {other.label} ({other.cost}).",
                why=f"{differ} resources are billed by other lengths of time in the one than in the"
                " other; together they would count twice.",
                fix="Give one of them.",
            )


def _spans(rows: str) -> str:
    return (
        f'SELECT {_hash(_THING)} AS thing, min("ChargePeriodEnd" - "ChargePeriodStart") AS span'
        f" FROM {rows} WHERE \"ChargeCategory\" = 'Usage' GROUP BY 1"
    )


def _too_many_hours(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    share: Share,
    left: Sequence[int],
) -> list[str]:
    """Warn of machines with more hours than there was time, in files that are read together."""
    files = ", ".join(quote(str(parts[number].file)) for number in left)
    rows = connection.execute(
        "SELECT count(*), coalesce(sum(cost * (hours - time) / hours), 0) FROM"
        ' (SELECT sum("ConsumedQuantity") AS hours, sum("BilledCost") AS cost,'
        ' date_diff(\'second\', "ChargePeriodStart", "ChargePeriodEnd") / 3600.0 AS time'
        f" FROM read_parquet([{files}], union_by_name = true)"
        f" WHERE \"x_View\" = 'both' AND \"BillingPeriodStart\" = DATE '{share.month}'"
        " AND regexp_matches(coalesce(\"x_UsageType\", ''), 'BoxUsage|SpotUsage')"
        ' AND "ResourceId" IS NOT NULL'
        ' GROUP BY "ResourceId", "x_UsageType", "ChargePeriodStart", "ChargePeriodEnd"'
        ' HAVING count(DISTINCT "x_Source") > 1 AND hours > time * 1.001 AND time > 0)'
    ).fetchall()
    count, cost = rows[0]
    if not count:
        return []
    labels = ", ".join(parts[number].delivery.label for number in left)
    return [
        f"{share.scope}: {count} machine-hours last longer than an hour when {labels} are read"
        f" together; {float(cost):.2f} of their cost may be counted twice."
    ]
