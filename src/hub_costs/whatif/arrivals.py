"""Sessions for planning without data: a class, a hackweek, a research group, a public Binder.

Each model's defaults are fitted to something published where there is something; `ORIGINS` says
which parameter comes from where and which is an assumption. All results are modelled.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hub_costs.usage.sessions import Sessions, check
from pangeo_core.errors import BadInput

HOURS = pd.Timedelta(hours=1)
MONDAY = pd.Timestamp("2024-09-02", tz="UTC")
MOST_PEOPLE = 50_000
GIB_PER_GB = 1000**3 / 1024**3


@dataclass(frozen=True)
class Hackweek:
    """People who meet on consecutive days; some servers run through the night."""

    people: int = 80
    days: int = 5
    first_hour: float = 16.0
    arrive_within_hours: float = 0.5
    mean_hours: float = 7.0
    stay_share: float = 0.11
    cpu_cores: float = 1.75
    memory_gib: float = 7 * GIB_PER_GB


@dataclass(frozen=True)
class Class:
    """A course: meetings that most attend at once, and homework in between."""

    people: int = 80
    days: int = 28
    meetings_a_week: int = 2
    attend_share: float = 55 / 80
    first_hour: float = 16.0
    arrive_within_hours: float = 0.25
    mean_hours: float = 1.5
    homework_a_week: float = 1.0
    cpu_cores: float = 0.5
    memory_gib: float = 2.0


@dataclass(frozen=True)
class Group:
    """A research group: few come daily, many now and then.

    `d` days see `people * (1 - (1 + spread * d) ** -(regularity / people))` of them on average.
    """

    people: int = 400
    days: int = 28
    regularity: float = 8.83
    spread: float = 7.51
    weekend_share: float = 0.6
    noon_hour: float = 19.0
    mean_hours: float = 0.75
    cpu_cores: float = 1.0
    memory_gib: float = 7.0


@dataclass(frozen=True)
class Binder:
    """Anonymous visitors of a public Binder, by day and night, more by day."""

    launches_a_week: float = 1000.0
    days: int = 28
    day_night: float = 0.5
    noon_hour: float = 17.0
    mean_hours: float = 10 / 60
    cpu_cores: float = 0.01
    memory_gib: float = 450 / 1024


Model = Hackweek | Class | Group | Binder
MODELS: Mapping[str, type[Model]] = {
    "hackweek": Hackweek,
    "class": Class,
    "group": Group,
    "binder": Binder,
}
_NOTES = "pangeo-data/terraform-deploy, notes of the ICESat-2 and OceanHackWeek hackweeks of 2020"
ORIGINS: Mapping[str, Mapping[str, str]] = {
    "hackweek": {
        "people": f"80 at once: {_NOTES}",
        "cpu_cores": f"1.75 guaranteed: {_NOTES}",
        "memory_gib": f"7 GB guaranteed: {_NOTES}",
        "stay_share": "fitted: 5 to 10 of 20 nodes (four people each) up through the night means "
        f"1 - (1 - share)^4 = 7.5/20: {_NOTES}",
        "first_hour": "assumption",
        "arrive_within_hours": "assumption",
        "mean_hours": "assumption: a day's programme",
        "days": "a working week",
    },
    "class": {
        "attend_share": "50 to 60 of 80 announced were there at once: 2i2c-org/infrastructure#810",
        "people": "80 announced: 2i2c-org/infrastructure#810",
        "cpu_cores": "assumption",
        "memory_gib": "assumption",
        "meetings_a_week": "assumption",
        "homework_a_week": "assumption",
        "first_hour": "assumption",
        "arrive_within_hours": "assumption",
        "mean_hours": "assumption",
        "days": "four weeks",
    },
    "group": {
        "regularity": "fitted with `spread` to 20, 33 and 49 users active in 1, 7 and 30 days "
        "(2 August 2023): NASA-Openscapes/earthdata-cloud-cookbook#229",
        "spread": "see regularity",
        "people": "large, so that the month does not exhaust it; the fit barely depends on it",
        "weekend_share": "users' EC2 hours on Saturday and Sunday over those on other days: "
        "data/openscapes_daily_ec2.csv",
        "mean_hours": "fitted with r5.xlarge nodes to the mean of users' EC2 hours a day: "
        "data/openscapes_daily_ec2.csv",
        "noon_hour": "assumption: noon in California",
        "cpu_cores": "assumption",
        "memory_gib": "assumption: four to an r5.xlarge",
        "days": "four weeks",
    },
    "binder": {
        "launches_a_week": "1 % of the 100,000 users a week that mybinder.org had at the end of "
        "2019: blog.jupyter.org, A 2019 retrospective from the Binder Project",
        "memory_gib": "450 MB guaranteed: mybinder.org's limits",
        "cpu_cores": "0.01 guaranteed: mybinder.org's limits",
        "mean_hours": "assumption: ten minutes; servers stop ten minutes after the last activity",
        "day_night": "assumption",
        "noon_hour": "assumption",
        "days": "four weeks",
    },
}
_SIZED: Mapping[str, Callable[[int], Model]] = {
    "hackweek": lambda people: Hackweek(people=people),
    "class": lambda people: Class(people=people),
    # The fit is of 49 people in a month, in which activity grows with `regularity`.
    "group": lambda people: Group(regularity=Group.regularity * people / 49),
    "binder": lambda launches: Binder(launches_a_week=7 * launches),
}
# How long after the last activity a server stops: z2jh's default, and mybinder.org's.
IDLE_HOURS = {"hackweek": 1.0, "class": 1.0, "group": 1.0, "binder": 10 / 60}


def generate(model: Model, seed: int, start: pd.Timestamp = MONDAY) -> Sessions:
    """Return sessions drawn from `model`; the same `seed` gives the same sessions.

    `start` is a Monday at midnight UTC. Nobody logs out: servers stop when idle, and
    `last_activity` says when their users last did something.
    """
    name = next(name for name, kind in MODELS.items() if isinstance(model, kind))
    for key, value in asdict(model).items():
        if not np.isfinite(value) or value < 0:
            raise BadInput(
                f"The model {name} cannot have {key} = {value}.", fix="Use a number from 0 up."
            )
    rng = np.random.default_rng([seed, *map(ord, name)])
    person, begin, active, stays = _DRAWS[name](model, rng)
    last = begin + active
    end = last + IDLE_HOURS[name]
    end = np.where(stays, np.maximum(end, (np.floor(begin / 24) + 1) * 24 + 16), end)
    keep = begin < model.days * 24
    frame = pd.DataFrame(
        {
            "user": [f"{name}-{number:05d}" for number in person[keep]],
            "hub": name,
            "kind": "binder" if name == "binder" else "notebook",
            "start": start + _whole_seconds(begin[keep]),
            "end": start + _whole_seconds(end[keep]),
            "last_activity": start + _whole_seconds(last[keep]),
            "cpu_cores": model.cpu_cores,
            "memory_gib": model.memory_gib,
            "node_type": "",
            "capacity": "on-demand",
        }
    )
    window = (start, start + pd.Timedelta(days=model.days))
    return check(frame.sort_values("start"), source=f"model {name}", window=window)


def sized(name: str, people: int | None = None) -> Model:
    """Return the model `name` for `people`: a group's in a month, a Binder's launches a day.

    Without a number it is the published size. Raises `BadInput` for a name that is none of MODELS,
    and for a number that no hub has seen.
    """
    if name not in MODELS:
        raise BadInput(f"There is no model {name!r}.", fix=f"Use one of: {', '.join(MODELS)}.")
    if people is not None and not 0 <= people <= MOST_PEOPLE:
        raise BadInput(
            f"Invalid number of people: {people}.",
            why="mybinder.org, the largest public hub, has about 20,000 launches a day.",
            fix=f"Give a number from 0 to {MOST_PEOPLE}.",
        )
    return MODELS[name]() if people is None else _SIZED[name](people)


def origins(model: Model) -> list[dict[str, Any]]:
    """Return each parameter of `model` with its value and where it comes from."""
    name = next(name for name, kind in MODELS.items() if isinstance(model, kind))
    return [
        {"model": name, "parameter": key, "value": value, "origin": ORIGINS[name][key]}
        for key, value in asdict(model).items()
    ]


Floats = npt.NDArray[np.float64]
Drawn = tuple[Any, Any, Any, Any]  # arrays: who, when it begins, hours active, whether it stays


def _hackweek(model: Any, rng: np.random.Generator) -> Drawn:
    day, person = (part.ravel() for part in np.indices((model.days, model.people)))
    begin = 24 * day + model.first_hour + rng.exponential(model.arrive_within_hours, len(day))
    # Who stays keeps the server till the next programme, not the last night.
    stays = (rng.random(len(day)) < model.stay_share) & (day < model.days - 1)
    return person, begin, _lengths(rng, model.mean_hours, len(day), 0.3), stays


def _class(model: Any, rng: np.random.Generator) -> Drawn:
    weekdays = np.linspace(0, 5, model.meetings_a_week, endpoint=False).astype(int)
    days = np.array([d for d in range(model.days) if d % 7 in weekdays], int)
    day, person = (part.ravel() for part in np.indices((len(days), model.people)))
    there = rng.random(len(day)) < model.attend_share
    day, person = days[day[there]], person[there]
    begin = 24 * day + model.first_hour + rng.exponential(model.arrive_within_hours, len(day))
    count = rng.poisson(model.homework_a_week * model.people * model.days / 7)
    who = rng.integers(0, model.people, count) if model.people else np.zeros(0, int)
    home = (
        rng.integers(0, model.days, len(who)) * 24 + model.first_hour + rng.normal(4, 3, len(who))
    )
    person, begin = np.r_[person, who], np.r_[begin, np.abs(home)]
    lengths = _lengths(rng, model.mean_hours, len(begin), 0.3)
    return person, begin, lengths, np.zeros(len(begin), bool)


def _group(model: Any, rng: np.random.Generator) -> Drawn:
    rate = rng.gamma(model.regularity / max(1, model.people), model.spread, model.people)
    weekday = np.where(np.arange(model.days) % 7 < 5, 1.0, model.weekend_share)
    weekday *= 7 / (5 + 2 * model.weekend_share)
    active = rng.random((model.days, model.people)) < -np.expm1(-np.outer(weekday, rate))
    day, person = np.nonzero(active)
    begin = 24 * day + np.clip(rng.normal(model.noon_hour, 3, len(day)), 8, 30)
    return person, begin, _lengths(rng, model.mean_hours, len(day), 0.9), np.zeros(len(day), bool)


def _binder(model: Any, rng: np.random.Generator) -> Drawn:
    count = rng.poisson(model.launches_a_week * model.days / 7)
    begin = rng.uniform(0, model.days * 24, 4 * count)
    wave = 1 + model.day_night * np.cos((begin - model.noon_hour) / 24 * 2 * np.pi)
    begin = np.sort(begin[rng.random(len(begin)) * (1 + model.day_night) < wave][:count])
    lengths = rng.exponential(model.mean_hours, len(begin))
    return np.arange(len(begin)), begin, lengths, np.zeros(len(begin), bool)


_DRAWS = {"hackweek": _hackweek, "class": _class, "group": _group, "binder": _binder}


def _lengths(rng: np.random.Generator, mean: float, count: int, sigma: float) -> Floats:
    """Return log-normal lengths with a given mean."""
    return mean * rng.lognormal(-(sigma**2) / 2, sigma, count)


def _whole_seconds(hours: Floats) -> pd.TimedeltaIndex:
    return pd.to_timedelta(np.round(hours * 3600).astype("int64"), unit="s")
