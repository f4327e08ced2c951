"""Collect a deployment's use into files: sessions.csv, gaps.csv, and homes.csv where homes are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from hub_costs.usage import homes, session_files
from hub_costs.usage.collect import binder_events as binder_collector
from hub_costs.usage.collect import gateway_database as gateway_collector
from hub_costs.usage.collect import hub_records as hub_collector
from hub_costs.usage.collect import prometheus as pods_collector
from hub_costs.usage.collect.running import joined
from hub_costs.usage.sessions import Sessions, check
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_core.files import write_whole
from pangeo_core.progress import Progress, silent
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of


@dataclass(frozen=True)
class Gathered:
    """What was collected, and the files that hold it (`homes_file`: None where homes are not)."""

    sessions: Sessions
    gaps: pd.DataFrame
    sessions_file: Path
    gaps_file: Path
    homes_file: Path | None

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        hours = (self.gaps["end"] - self.gaps["start"]) / pd.Timedelta(hours=1)
        return {
            **self.sessions.as_dict(),
            "gaps": len(self.gaps),
            "gap_hours": round(float(hours.sum()), 4),
            "sessions_file": str(self.sessions_file),
            "gaps_file": str(self.gaps_file),
            "homes_file": str(self.homes_file) if self.homes_file else None,
        }


def gather(
    deployment: Deployment,
    out: Path,
    *,
    prometheus: str = "",
    log: Path | None = None,
    start: str = "",
    end: str = "",
    progress: Progress = silent,
) -> Gathered:
    """Collect what people did between `start` and `end` (ISO 8601) into files in `out`.

    In the rehearsal everything that is not named is the running hub's own; on aws `prometheus` must
    be named, and `start`. Raises what the collectors raise, `MissingPrerequisite` where there is no
    Prometheus, `NotOnThisTarget` where it cannot be reached, `BadInput` for a time that is none.
    """
    users, where = None, None
    zone: str | None = "UTC"
    last = _moment(end, "end") or pd.Timestamp.now("UTC")
    first = _moment(start, "start")
    if not prometheus:
        where = target_of(deployment).usage_records()
        prometheus, log = where.prometheus, log or where.log
        first = first or pd.Timestamp(where.since)
        zone = None  # the rehearsed hub logs in the machine's own
        janitor, _ = target_of(deployment).janitor()
        users = hub_collector.snapshot(f"{janitor.url}/hub/api", janitor.token)
    if not prometheus:
        raise MissingPrerequisite(
            "The rehearsed hub has no Prometheus.",
            why="There is no program prometheus on PATH.",
            fix="apt-get install prometheus, then `hub down` and `hub up`.",
        )
    if first is None:
        raise BadInput("Missing start time.", fix="Pass --start 2026-11-01.")
    found = pods_collector.collect(prometheus, first, last, progress=progress)
    told = None if log is None else _log_of(log, zone)
    clusters = None if where is None else _clusters_of(where.gateway, last)
    sessions = joined(found, told, users or (), clusters).sessions()
    written = _write(sessions, found.gaps, out)
    if where:
        file = out / "homes.csv"
        written, kept = replace(written, homes_file=file), homes.measure(where.homes)
        write_whole(file, kept.to_csv(index=False, lineterminator="\n"))
    return written


def _log_of(log: Path, zone: str | None) -> pd.DataFrame | None:
    """Return what the log tells; None where no server was started since it began, as after `up`."""
    try:
        return hub_collector.from_log(log, cpu_cores=0, memory_gib=0, zone=zone).raw
    except BadInput:
        if not log.is_file():
            raise
        return None


def _clusters_of(database: Path | None, now: pd.Timestamp) -> pd.DataFrame | None:
    """Return the gateway's own records, None where it has none yet."""
    if database is None:
        return None
    try:
        return gateway_collector.collect(database, worker_cores=1, worker_memory_gib=1, now=now).raw
    except BadInput:
        return None


def bring(
    out: Path,
    *,
    log: Path | None = None,
    zone: str = "UTC",
    gateway: Path | None = None,
    events: Sequence[Path] = (),
    cpu_cores: float = 1.0,
    memory_gib: float = 2.0,
) -> Gathered:
    """Write what a hub's own records tell into files in `out`, for a hub without a Prometheus.

    `log` is JupyterHub's, with times in `zone`, `gateway` Dask-Gateway's database, `events`
    BinderHub's launches: each tells of other sessions, so nobody is counted twice. The first two do
    not know how large a server or a worker was: `cpu_cores` and `memory_gib` (GiB) say it. Raises
    what the collectors raise, and `BadInput` where nothing is named.
    """
    found = []
    if log:
        found.append(
            hub_collector.from_log(log, cpu_cores=cpu_cores, memory_gib=memory_gib, zone=zone)
        )
    if gateway:
        found.append(
            gateway_collector.collect(gateway, worker_cores=cpu_cores, worker_memory_gib=memory_gib)
        )
    if events:
        found.append(binder_collector.collect(events))
    if not found:
        raise BadInput("No record is named.", fix="Pass --log, --gateway or --events.")
    window = min(one.start for one in found), max(one.end for one in found)
    raw = pd.concat([one.raw.astype(object) for one in found], ignore_index=True)
    source = ", ".join(one.source for one in found)
    gaps = pd.concat([one.gaps for one in found], ignore_index=True)
    return _write(check(raw, source=source, window=window), gaps, out)


def _write(sessions: Sessions, gaps: pd.DataFrame, out: Path) -> Gathered:
    written = Gathered(sessions, gaps, out / "sessions.csv", out / "gaps.csv", None)
    session_files.write(sessions, written.sessions_file)
    write_whole(written.gaps_file, gaps.to_csv(index=False, lineterminator="\n"))
    return written


def _moment(text: str, name: str) -> pd.Timestamp | None:
    if not text:
        return None
    try:
        moment = pd.Timestamp(text)
    except ValueError as error:
        raise BadInput(
            f"--{name} is no time: {text!r}.", why=str(error), fix="Write 2026-11-26T09:30:00Z."
        ) from None
    return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
