"""Launch a repository through BinderHub's event stream, as its page does."""

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
    """BinderHub refused or failed; `phase` is the phase it had reached, `why` its own message."""

    def __init__(self, what: str, *, phase: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.phase = phase


@dataclass(frozen=True)
class Launch:
    """A launched server: its URL and image, and the phases of the launch."""

    url: str
    image: str
    phases: tuple[str, ...]


def launch(
    user: User, spec: str, told: Callable[[str, str], None] = lambda phase, message: None
) -> Launch:
    """Launch `spec` (`PROVIDER/...`, as in BinderHub's addresses) and return when it is ready.

    It replaces the user's default server. `told` is called with each phase and message. Raises
    `LaunchRefused` when BinderHub refuses: banned, not found, not buildable, too many at once, a
    server running already; `HubRefused` when it does not answer.
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
    """Yield the events of a stream, parsed from JSON, without the comments that keep it alive.

    A broken stream just ends, without its final event.
    """
    try:
        for line in answer.iter_lines():
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))
    except (requests.RequestException, ValueError):
        return
