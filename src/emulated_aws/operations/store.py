"""Storage of our own operations: plain values, saved with the account."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.moto_api._internal import mock_random

Thing = dict[str, Any]


@dataclass
class Things:
    """Resources by kind, region and key, as JSON values; timestamps are ISO 8601."""

    content: dict[str, dict[str, Thing]] = field(default_factory=dict)

    def of(self, kind: str, region: str) -> dict[str, Thing]:
        """Return the resources of one kind in a region, by key."""
        return self.content.setdefault(f"{kind} {region}", {})

    def all(self, kind: str, region: str) -> list[Thing]:
        """Return the resources of one kind in a region."""
        return list(self.content.get(f"{kind} {region}", {}).values())

    def get(self, kind: str, region: str, key: str) -> Thing | None:
        """Return one resource, mutable; None if it does not exist."""
        return self.content.get(f"{kind} {region}", {}).get(key)

    def put(self, kind: str, region: str, key: str, thing: Thing) -> Thing:
        """Store a resource, and return it."""
        self.of(kind, region)[key] = thing
        return thing

    def remove(self, kind: str, region: str, key: str) -> bool:
        """Remove a resource; return whether it existed."""
        return self.of(kind, region).pop(key, None) is not None

    def remove_where(self, kind: str, region: str, which: Callable[[Thing], bool]) -> None:
        """Remove the resources for which `which` is true."""
        of = self.of(kind, region)
        for key in [key for key, thing in of.items() if which(thing)]:
            del of[key]

    def uuid(self) -> str:
        """Return an id drawn from the account's seed and the request, as moto's ids are."""
        return str(mock_random.uuid4())


def now() -> str:
    """Return the present time."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def drawn(length: int, *parts: str) -> str:
    """Return hexadecimal digits for an id: the same for the same input, where AWS's are random."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def drawn_uuid(*parts: str) -> str:
    """Return such digits in the form of a UUID."""
    return str(uuid.UUID(drawn(32, *parts)))
