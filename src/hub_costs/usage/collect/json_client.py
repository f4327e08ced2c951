"""One way to ask a service for JSON, and to say what is wrong with its answer."""

from collections.abc import Mapping
from typing import Any

import requests

from pangeo_core.errors import BadInput, MissingPrerequisite


def ask(
    url: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    what: str,
    timeout: float = 30.0,
) -> tuple[int, Any]:
    """Return the status and the JSON that `url` answers; `what` names the service in errors.

    Raises `MissingPrerequisite` where nothing answers in time, `BadInput` where what answers is no
    JSON. Headers (tokens) are never part of a message.
    """
    try:
        answer = requests.get(url, params=parameters, headers=headers, timeout=timeout)
    except requests.RequestException as error:
        raise MissingPrerequisite(
            f"{what} does not answer at {url}.",
            why=type(error).__name__,
            fix="Check the address, and that it runs and can be reached from here.",
        ) from None
    try:
        return answer.status_code, answer.json()
    except ValueError:
        raise BadInput(
            f"{what} at {url} answered something that is not JSON (status {answer.status_code}).",
            fix="Check the address: is a login page or another service behind it?",
        ) from None
