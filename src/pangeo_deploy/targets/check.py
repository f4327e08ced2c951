"""One finding of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do. Not `required`: it only takes away."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = True
