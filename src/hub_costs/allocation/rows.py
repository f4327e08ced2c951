"""One share of a bill."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Kind = Literal["user", "shared", "idle", "unallocated"]
Basis = tuple[tuple[str, str, int], ...]  # (owner, hub, weight)


@dataclass(frozen=True)
class Row:
    """One share of the bill: `units` are whole 1e-12 of the currency; `hub` may be empty.

    Of an idle share, `basis` says who used the rest of the same thing, and how much.
    """

    day: date
    owner: str
    kind: Kind
    component: str
    rule: str
    hub: str
    units: int
    basis: Basis = ()
