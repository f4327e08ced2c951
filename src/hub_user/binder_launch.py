"""Launch a repository through BinderHub, by its stream of events, as its page does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests

from hub_user.user import User
from pangeo_core.errors import PangeoDeployError

SILENCE_SECONDS = 120.0  # BinderHub writes at least a comment every 25 s
FAILED = ("failed", "failure")  # of BinderHub and of repo2docker
READY = "ready"
SHOWN_LINES = 5
STREAM = {"Accept": "text/event-stream"}


class LaunchRefused(PangeoDeployError):
    """BinderHub refused or failed; `phase` is how far it had come, `why` its own words."""

    def __init__(self, what: str, *, phase: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.phase = phase


@dataclass(frozen=True)
class Launch:
    """A launched server: where it is, from which image, and the phases it went through."""

    url: str
    image: str
    phases: tuple[str, ...]


def launch(
    user: User, spec: str, told: Callable[[str, str], None] = lambda phase, message: None
) -> Launch:
    """Launch `spec` (`PROVIDER/...`, as in BinderHub's addresses) and return when it is ready.

    It takes the place of the user's one server. `told` hears each phase and message. Raises
    `LaunchRefused` when BinderHub says no: banned, not there, not buildable, too many at once, a
    server that runs already; `HubRefused` when it does not answer.
    """
    phases: list[str] = []
    said: list[str] = []
    address = f"/services/binder/build/{spec}"
    with user.ask("GET", address, headers=STREAM, stream=True, timeout=SILENCE_SECONDS) as answer:
        if answer.status_code != 200:
            raise LaunchRefused(
                "BinderHub asks for a log-in.", why=f"It answered with {answer.status_code}."
            )
        for event in events(answer):
            phase = str(event.get("phase", "")).lower()
            message = str(event.get("message", "")).strip()
            told(phase, message)
            if phase == READY:
                return Launch(str(event["url"]), str(event["image"]), (*phases, phase))
            if message:
                said.append(message)
            if phase in FAILED:
                break
            if phase and phase not in phases[-1:]:
                phases.append(phase)
    raise LaunchRefused(
        f"{spec} was not launched.",
        phase=phases[-1] if phases else "",
        why="\n".join(said[-SHOWN_LINES:]) or "BinderHub ended without a server.",
    )


def events(answer: requests.Response) -> Iterator[dict[str, object]]:
    """Yield what an event stream holds as JSON; comments keep it alive and say nothing.

    A stream that breaks off ends: the last event then is not the one that was waited for.
    """
    try:
        for line in answer.iter_lines():
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))
    except (requests.RequestException, ValueError):
        return
