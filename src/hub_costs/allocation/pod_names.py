"""Whose pod is it: names as KubeSpawner, Dask-Gateway and BinderHub make them.

KubeSpawner names a server's pod `jupyter-<user>`, or `jupyter-<user>--<server>` for a named server.
It writes a user's name in one of two ways:

- escaped (KubeSpawner before 7, and 7 with `slug_scheme = "escape"`): every character but a-z and
  0-9 as `-` and its UTF-8 bytes in hexadecimal;
- as a slug (KubeSpawner 7): the name itself where it is a valid DNS label; else what is left of it,
  and eight digits of its SHA-256 after `---`. A digest cannot be undone, but be made again from
  each name that is known.

By jupyterhub/kubespawner, kubespawner/slugs.py (22311583). Dask-Gateway names pods
`dask-scheduler-<cluster>` and `dask-worker-<cluster>-<suffix>`, which name no person.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_HASH = 8
_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SERVER = "jupyter-"
_DASK = ("dask-worker-", "dask-scheduler-")


def escaped(name: str) -> str:
    """Return a name as KubeSpawner's older scheme writes it."""
    return "".join(
        c if c in "abcdefghijklmnopqrstuvwxyz0123456789"
        else "".join(f"-{byte:02x}" for byte in c.encode())
        for c in name
    )  # fmt: skip


def slug(name: str, server: str = "") -> str:
    """Return a user's name, or a user's and a server's, as KubeSpawner 7 writes it."""
    if server:
        digest = hashlib.sha256(name.encode() + b"\xff" + server.encode()).hexdigest()[:_HASH]
        room = (48 - _HASH - 1) // 2 - 2
        return f"{_stripped(name, room)}--{_stripped(server, room)}---{digest}"
    if _LABEL.fullmatch(name) and len(name) <= 63 and "--" not in name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{_stripped(name, 32 - _HASH - 3)}---{digest}"


def _stripped(name: str, room: int) -> str:
    short = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-")[:room].rstrip("-")
    if short and not short[0].isalpha():
        short = f"x-{short[: room - 2]}"
    return short or "x"


@dataclass(frozen=True)
class Pod:
    """Whose a pod is: a `user` (known to sessions or only by the pod's name), or of Dask."""

    user: str = ""
    known: bool = False
    dask: str = ""  # the kind of session that it is: dask-worker, dask-scheduler


@dataclass
class People:
    """The users that sessions know, by every name that a pod of theirs may have."""

    users: frozenset[str]
    _names: dict[str, str] = field(default_factory=dict)
    _pods: dict[str, Pod] = field(default_factory=dict)  # found before: a bill has each every day

    @classmethod
    def of(cls, servers: Iterable[tuple[str, str]]) -> "People":
        """Return the users of (user, server) pairs; the default server's name is empty."""
        pairs = sorted(set(servers))
        people = cls(frozenset(user for user, _ in pairs if user))
        for user, server in pairs:
            if user:
                for name in (user, slug(user), escaped(user), slug(user, server)):
                    people._names.setdefault(name, user)
        return people

    def named(self, name: str) -> str | None:
        """Return the user whose name, slug or escaped name this is, or None."""
        return self._names.get(name)

    def whose(self, pod: str) -> Pod:
        """Return whose the pod of this name is."""
        if pod not in self._pods:
            self._pods[pod] = self._find(pod)
        return self._pods[pod]

    def _find(self, pod: str) -> Pod:
        for prefix in _DASK:
            if pod.startswith(prefix):
                return Pod(dask=prefix[:-1])
        name = pod.removeprefix(_SERVER)
        if user := self.named(name):
            return Pod(user, known=True)
        # Without the server's name; a slug's digest is then of both names.
        whole, _, digest = name.partition("---")
        first, digest = whole.partition("--")[0], digest.partition("--")[0]
        plain = _unescaped(first)
        for candidate in (f"{first}---{digest}", plain, first):
            if user := self.named(candidate):
                return Pod(user, known=True)
        alike = {user for user in self.users if first in (slug(user), _stripped(user, len(first)))}
        if "--" in whole and len(alike) == 1:
            return Pod(alike.pop(), known=True)
        escapes = plain != first  # then a digest after it is not the name's
        return Pod(plain if escapes or not digest else f"{first}---{digest}")


def _unescaped(name: str) -> str:
    """Return a name without escapes; as it is where one of its hyphens begins none."""
    if re.fullmatch(r"([a-z0-9]|-[0-9a-f]{2})+", name) is None:
        return name
    try:
        return re.sub(
            r"(?:-[0-9a-f]{2})+",
            lambda run: bytes.fromhex(run[0].replace("-", "")).decode(),
            name,
        )
    except UnicodeDecodeError:
        return name
