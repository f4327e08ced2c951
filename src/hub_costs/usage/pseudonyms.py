"""Names for people that nobody can lead back: stable within a report, different in the next."""

import hashlib
import hmac
import secrets
from typing import NoReturn


class Pseudonyms:
    """Gives each person a name by a keyed hash (HMAC-SHA-256) of theirs.

    The key is drawn anew for each object and lives only in it: it can be neither printed nor stored
    with a report. Without it a list of candidate names cannot be tried against a published report,
    which a plain hash would allow.
    """

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def name(self, user: str) -> str:
        """Return the pseudonym of `user`."""
        return "person-" + hmac.new(self._key, user.encode(), hashlib.sha256).hexdigest()[:12]

    def __repr__(self) -> str:
        return "Pseudonyms()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("The key of pseudonyms is never stored.")
