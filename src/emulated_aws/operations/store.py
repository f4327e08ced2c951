"""Where the operations beside moto's keep what they make: plain values, saved with the account."""

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
    """Things by kind, region and key; what they hold is JSON, points in time as ISO 8601."""

    content: dict[str, dict[str, Thing]] = field(default_factory=dict)

    def of(self, kind: str, region: str) -> dict[str, Thing]:
        """Return the things of one kind in a region, by key."""
        return self.content.setdefault(f"{kind} {region}", {})

    def all(self, kind: str, region: str) -> list[Thing]:
        """Return the things of one kind in a region."""
        return list(self.content.get(f"{kind} {region}", {}).values())

    def get(self, kind: str, region: str, key: str) -> Thing | None:
        """Return one thing, to be looked at or changed, None if it is not there."""
        return self.content.get(f"{kind} {region}", {}).get(key)

    def put(self, kind: str, region: str, key: str, thing: Thing) -> Thing:
        """Keep a thing; return it."""
        self.of(kind, region)[key] = thing
        return thing

    def remove(self, kind: str, region: str, key: str) -> bool:
        """Remove a thing; tell whether it was there."""
        return self.of(kind, region).pop(key, None) is not None

    def remove_where(self, kind: str, region: str, which: Callable[[Thing], bool]) -> None:
        """Remove the things that `which` picks."""
        of = self.of(kind, region)
        for key in [key for key, thing in of.items() if which(thing)]:
            del of[key]

    def uuid(self) -> str:
        """Draw an id: from the account's seed and the request, as moto's ids are."""
        return str(mock_random.uuid4())


def now() -> str:
    """Return this moment."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def drawn(length: int, *parts: str) -> str:
    """Return hexadecimal digits for an id: the same for the same thing, where AWS draws lots."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def drawn_uuid(*parts: str) -> str:
    """Return such digits in the form of a UUID."""
    return str(uuid.UUID(drawn(32, *parts)))
