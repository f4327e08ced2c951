"""Save the hub's database now, by the chart's own nightly job."""

from datetime import UTC, datetime

from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.charts.deploy import revision
from pangeo_deploy.charts.programs import ClusterRefused, get, run
from pangeo_deploy.charts.render import NAMESPACES

__all__ = ["save"]

CRONJOB = "hub-backup"
PATIENCE = "--timeout=10m"


def save() -> None:
    """Run the job and wait for it; nothing is done where there is no hub.

    Raises `ClusterRefused` with the job's log if there is no copy, `MissingPrerequisite` for a hub
    of which none is made.
    """
    space = ("--namespace", NAMESPACES["pangeo"])
    if not revision("pangeo"):
        return
    if not get("cronjob", CRONJOB, NAMESPACES["pangeo"]):
        raise MissingPrerequisite(
            "Nobody saves the hub's database.",
            why="The values have an empty backup.schedule, or no homes beside which it could lie.",
            fix="Set them, deploy the charts, and try again.",
        )
    job = f"{CRONJOB}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    run("kubectl", "create", "job", job, f"--from=cronjob/{CRONJOB}", *space)
    try:
        run("kubectl", "wait", "--for=condition=complete", f"job/{job}", *space, PATIENCE)
    except ClusterRefused as error:
        told = run("kubectl", "logs", f"job/{job}", *space, "--tail=20")
        raise ClusterRefused(
            "The hub's database was not saved.",
            why=f"{told.strip() or error.why}",
            fix=f"Nothing was removed. Look at: kubectl describe job {job} {' '.join(space)}",
        ) from error
