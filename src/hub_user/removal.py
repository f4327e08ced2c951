"""Remove a user who has left: their account at the hub, and everything that runs in their name."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from hub_user.janitor import Cluster
from hub_user.user import HubRefused, User
from pangeo_core.errors import BadInput, PangeoDeployError

GONE = 404


@dataclass(frozen=True)
class Removed:
    """The removed user: whether their server ran, and which clusters were stopped.

    `left` holds the clusters that could not be stopped, each with the reason.
    """

    user: str
    server: bool
    clusters: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing runs in their name any more."""
        return not self.left

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"ok": self.ok, **asdict(self)}


def remove_user(janitor: User, clusters: Iterable[Cluster], name: str) -> Removed:
    """Remove `name` from the hub and stop their server and clusters; their home is kept.

    Tokens and cookies end with the account at the hub. `janitor` is the hub's service of that name.
    Raises `BadInput` if the name is unknown and nothing runs in it.
    """
    path = f"/hub/api/users/{quote(name, safe='')}"
    theirs = [cluster for cluster in clusters if cluster.owner == name]
    try:
        server = bool(janitor.ask("GET", path).json().get("servers"))
        janitor.ask("DELETE", path)
    except HubRefused as refused:
        if refused.status != GONE:
            raise
        if not theirs:
            raise BadInput(
                f"The hub does not know {name}.",
                why="Nobody of that name has logged in, or they were removed before.",
                fix="See who is there on the hub's page /hub/admin.",
            ) from None
        server = False
    stopped, left = [], []
    for cluster in theirs:
        try:
            cluster.end()
            stopped.append(cluster.name)
        except PangeoDeployError as error:
            left.append(f"{cluster.name}: {error.what}")
    return Removed(name, server, tuple(stopped), tuple(left))
