"""Time as half-open intervals, so that an end can be passed on without meaning two things.

Billing interfaces disagree on whether an end belongs to the interval: Cost Explorer's `End` does
not, a calendar's last day does. Code here never holds a last day: an interval's `end` is the first
moment that is no longer part of it, and a month is only ever made from its year and number.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pangeo_core.errors import BadInput

__all__ = ["Month"]

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Interval:
    """The time from `start` up to, but without, `end`; both UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.utcoffset() is None:
                raise BadInput(f"{moment} has no time zone.", fix="Give times in UTC.")
        if self.end <= self.start:
            raise BadInput(
                f"The interval from {self.start.isoformat()} to {self.end.isoformat()} is empty.",
                why="Its end is the first moment after it.",
                fix="Let it end later than it starts.",
            )

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def overlap(self, other: "Interval") -> "Interval | None":
        """Return the time that both share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None

    @property
    def seconds(self) -> int:
        """Whole seconds in the interval."""
        return round((self.end - self.start).total_seconds())

    def days(self) -> Iterator[date]:
        """Yield each day (UTC) of which some part is in the interval."""
        day = self.start.date()
        while datetime(day.year, day.month, day.day, tzinfo=UTC) < self.end:
            yield day
            day += DAY


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month in UTC, as AWS bills it."""

    year: int
    number: int

    def __post_init__(self) -> None:
        if not (1 <= self.number <= 12 and 1 <= self.year < 9999):
            raise BadInput(f"There is no month {self.year}-{self.number}.", fix="Use YYYY-MM.")

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Return the month written as YYYY-MM."""
        match = re.fullmatch(r"(\d{4})-(\d{2})", text)
        if not match:
            raise BadInput(f"{text!r} is not a month.", fix="Write YYYY-MM, such as 2024-07.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, moment: date) -> "Month":
        """Return the month that holds `moment` (a day, or a time in any zone)."""
        if isinstance(moment, datetime) and moment.utcoffset() is not None:
            moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def length(self) -> int:
        """Days in the month."""
        return calendar.monthrange(self.year, self.number)[1]

    def next(self) -> "Month":
        """Return the month after this one."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def interval(self) -> Interval:
        """Return the month's time: its end is the next month's start."""
        after = self.next()
        return Interval(
            datetime(self.year, self.number, 1, tzinfo=UTC),
            datetime(after.year, after.number, 1, tzinfo=UTC),
        )
