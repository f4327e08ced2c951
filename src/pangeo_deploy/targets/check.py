"""One finding of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check: subject, result, and fix. One that is not `required` limits what will work."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = True
