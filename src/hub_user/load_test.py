"""Load test: many users at once log in, start a server and run a cell."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hub_user import cells
from hub_user.user import User
from pangeo_core.errors import PangeoDeployError


@dataclass(frozen=True)
class Arrival:
    """One user's arrival: seconds until the server was ready and until the cell had run."""

    user: str
    ok: bool
    server_seconds: float
    cell_seconds: float
    detail: str = ""


def arrive_together(enter: Callable[[str], User], names: Sequence[str]) -> list[Arrival]:
    """Let all `names` arrive at once; return their arrivals in order. Servers are left running."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: arrive(enter, name), names))


def arrive(enter: Callable[[str], User], name: str) -> Arrival:
    """Log in, start a server, run a cell; an error is part of the result."""
    begun = time.monotonic()
    ready = 0.0
    try:
        user = enter(name)
        user.start_server()
        ready = time.monotonic() - begun
        with user.kernel() as kernel:
            seen = kernel.result(cells.HELLO, seconds=300.0)
            answered = time.monotonic() - begun
    except PangeoDeployError as error:
        return Arrival(name, False, ready, time.monotonic() - begun, str(error))
    right = seen["user"] == name and seen["sum"] == 5050
    return Arrival(name, right, ready, answered, "" if right else f"answered {seen}")


def leave_together(users: Sequence[User]) -> None:
    """Stop all these users' servers."""
    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(User.stop_server, users))
