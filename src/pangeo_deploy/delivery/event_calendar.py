"""The calendar of events that need more room than every day: who comes, and what it will cost."""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole
from pangeo_deploy.charts.trees import merged
from pangeo_deploy.charts.values import load
from pangeo_deploy.charts.values import read as read_values

__all__ = ["expected", "read"]

CALENDAR = "helm/events.yaml"
CENT = Decimal("0.01")


class Event(BaseModel):
    """An event: from the first to the last day, `people` at once for `hours_a_day`.

    It has its room from `room_from` on, the day before if not named, until the end of its last
    day: by the calendar alone, so that no other deployment takes it back.
    `workers` Dask workers run for `worker_hours_a_day` each. `values` are laid over the
    environment's Helm values while it lasts, one key a chart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    environment: str
    first_day: date
    last_day: date
    room_from: date | None = None
    people: int = Field(gt=0)
    hours_a_day: Decimal = Field(gt=0, le=24)
    profile: str
    workers: int = Field(default=0, ge=0)
    worker_hours_a_day: Decimal = Field(default=Decimal(0), ge=0, le=24)
    values: dict[str, dict[str, Any]]

    @property
    def days(self) -> int:
        """How many days it lasts."""
        return (self.last_day - self.first_day).days + 1

    def has_room(self, today: date) -> bool:
        """Tell whether the calendar gives the event its room on this day."""
        return (self.room_from or self.first_day - timedelta(days=1)) <= today <= self.last_day


def read(project: Path) -> list[Event]:
    """Return the calendar's events. Raises `BadInput` that says what is wrong in which event."""
    file = project / CALENDAR
    try:
        found = yaml.safe_load(file.read_text()) or []
        events = [Event(**one) for one in found]
    except FileNotFoundError:
        return []
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise BadInput(f"{file} is not a calendar.", why=str(error)) from None
    for event in events:
        if event.last_day < event.first_day:
            raise BadInput(f"{CALENDAR}: {event.name} ends before it begins.")
    return events


def find(project: Path, name: str) -> Event:
    """Return the event of this name."""
    events = read(project)
    for one in events:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in events) or "none"
    raise BadInput(f"There is no event {name!r}.", why=f"{CALENDAR} has: {known}.")


def expected(project: Path, event: Event) -> dict[str, Any]:
    """Return what an event will cost beyond the always-on floor, by list prices (modelled, USD).

    Machines are counted whole: the last one is seldom full, and is paid all the same.
    """
    from hub_costs.estimates import marginal_cost, prices

    support, pangeo = (
        merged(load(project, chart, event.environment), event.values.get(chart, {}))
        for chart in ("support", "pangeo")
    )
    hourly, _ = marginal_cost.hourly(support, pangeo, prices.read())
    asked = [(f"user: {event.profile}", event.people, event.hours_a_day * event.days)]
    if event.workers:
        asked.append(("worker", event.workers, event.worker_hours_a_day * event.days))
    lines = []
    for what, count, hours in asked:
        priced = [one for one in hourly if one.what == what]
        if not priced:
            raise BadInput(
                f"{event.name}: {what} cannot be priced.",
                fix="Name a profile of the hub, whose machines are in data/prices.csv.",
            )
        one = min(priced, key=lambda each: each.usd_per_hour)
        machines = math.ceil(count / one.fits)
        usd = (one.usd_per_hour * one.fits * machines * hours).quantize(CENT)
        lines.append(
            {
                "what": what,
                "count": count,
                "hours": format(hours, "f"),
                "machines": machines,
                "node_type": one.node_type,
                "usd": format(usd, "f"),
                "assumption": one.assumption,
            }
        )
    total = sum((Decimal(str(line["usd"])) for line in lines), Decimal(0))
    return {
        "name": event.name,
        "environment": event.environment,
        "days": event.days,
        "people": event.people,
        "lines": lines,
        "usd": format(total, "f"),
        "usd_per_person": format((total / event.people).quantize(CENT), "f"),
        "origin": "modelled",
    }


def require_room(event: Event, wanted: bool, today: date) -> None:
    """Refuse to give or take room against the calendar, which the next deployment would follow."""
    if event.has_room(today) == wanted:
        return
    first = event.room_from or event.first_day - timedelta(days=1)
    said = f"The calendar gives {event.name} its room from {first} to {event.last_day}."
    raise BadInput(
        f"{event.name} {'gets no room' if wanted else 'has its room'} on {today}.",
        why=f"{said} A deployment of today would undo anything else.",
        fix=f"Change its {'room_from' if wanted else 'last_day'} in {CALENDAR}, by a pull request.",
    )


def lay_current(project: Path, environment: str, today: date) -> list[str]:
    """Lay today's events over their environment's values, in this checkout; return their names."""
    current = [
        event
        for event in read(project)
        if event.environment == environment and event.has_room(today)
    ]
    file = project / "helm" / "environments" / f"{environment}.yaml"
    values = read_values(file)
    for event in current:
        over: Mapping[str, Any] = event.values
        values = merged(values, dict(over))
    if current:
        write_whole(file, yaml.safe_dump(values, sort_keys=False))
    return [event.name for event in current]
