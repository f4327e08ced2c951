"""Read what Terraform says, as JSON lines, while it changes resources."""

import re
from datetime import datetime

from pangeo_core.progress import Event, Progress, State
from pangeo_deploy.terraform.engine import Message, told


def seconds_between(start: str, end: str) -> float:
    """Return the seconds from one of Terraform's timestamps to another."""
    # Terraform prints the offset as +00:00 or Z and up to nine digits; Python reads six.
    first, last = (
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", at)) for at in (start, end)
    )
    return round((last - first).total_seconds(), 3)


# Warnings about what `destroy --keep-data` does on purpose.
_EXPECTED = ("Resource targeting is in effect", "Applied changes may be incomplete")
_STATES: dict[str, State] = {
    "apply_start": "start",
    "apply_complete": "done",
    "apply_errored": "failed",
}


def report(message: Message, progress: Progress) -> None:
    """Pass on what Terraform does to a resource, and its warnings."""
    hook, kind = message.get("hook", {}), message.get("type", "")
    if (state := _STATES.get(kind)) and hook.get("action") != "read":
        progress(Event(hook["resource"]["addr"], state, hook["action"]))
    elif kind == "refresh_start":
        progress(Event("terraform", "step", f"reading {hook['resource']['addr']}"))
    elif kind == "diagnostic" and message["diagnostic"]["severity"] == "warning":
        if message["diagnostic"]["summary"] in _EXPECTED:
            return
        progress(Event("terraform", "info", told(message["diagnostic"])))
