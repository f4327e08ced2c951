"""moto's state as files: one pickle a service and a manifest that says which belong together."""

import hashlib
import io
import json
import pickle
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import moto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from moto import backends
from moto.core.base_backend import BackendDict, BaseBackend

from pangeo_deploy.errors import BadInput
from pangeo_deploy.files import write_whole

FORMAT = 1
BLOB_BYTES = 4096  # contents of S3 objects from this size on get a file of their own
# It holds nothing but half-read answers, as generators, which no pickle can keep.
STATELESS = {"resourcegroupstaggingapi"}
LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}


@dataclass
class State:
    """What `folder` holds of an account, and what is needed to continue it.

    `asked` counts how often each changing request was made, so that ids never repeat; `made` holds
    answers that a killed run may not have had recorded (see `world`).
    """

    folder: Path
    region: str
    seed: str = "rehearsal"
    asked: dict[str, int] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def manifest(self) -> Path:
        """The file that is replaced last, and alone decides what the state is."""
        return self.folder / "account.json"

    def load(self) -> None:
        """Put the folder's state into moto's (empty) backends.

        Raises `BadInput`, changing nothing, for files of another moto or damaged ones.
        """
        content = self._read_manifest()
        self.region, self.seed = content["region"], content["seed"]
        self.asked, self.made, self.files = content["asked"], content["made"], content["files"]
        pickles = {service: self._read_pickle(entry) for service, entry in self.files.items()}
        for service, entry in self.files.items():
            holder = backends.get_backend(service)  # type: ignore[call-overload]
            for account, region in entry["backends"]:
                # Not constructed (EC2's would make a default VPC): its state is what was saved.
                dict.__setitem__(holder[account], region, object.__new__(holder.backend))
        for service, data in pickles.items():
            holder = backends.get_backend(service)  # type: ignore[call-overload]
            loaded = Unpickler(io.BytesIO(data), self.folder / "objects").load()
            for (account, region), attributes in loaded["backends"].items():
                holder[account][region].__dict__.update(attributes)
            holder.__dict__.update(loaded["holder"])

    def _read_manifest(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.manifest.read_bytes())
            made_by = (content["format"], content["moto"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise unreadable(
                self.manifest, f"It is cut short or not a rehearsal's: {error}"
            ) from error
        if made_by != (FORMAT, moto.__version__):
            why = f"It was written with moto {made_by[1]}; this is moto {moto.__version__}."
            raise unreadable(self.manifest, why)
        return content

    def _read_pickle(self, entry: dict[str, Any]) -> bytes:
        path: Path = self.folder / "state" / entry["file"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise unreadable(path, str(error)) from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise unreadable(path, "It is cut short or was changed by something else.")
        return data

    def changed(self, objects: bool) -> dict[str, bytes]:
        """Return the new pickles of the services whose state is not what was saved last.

        One request may change several services (an EFS mount target makes a network interface), so
        all are looked at; S3, whose objects may be large, only if `objects`.
        """
        found = {}
        for holder in holders():
            service = holder.service_name
            if service in STATELESS:
                continue
            if service == "s3" and not objects and "s3" in self.files:
                continue
            content = {
                (account, r): backend.__dict__ for account, r, backend in holder.iter_backends()
            }
            extra = {k: v for k, v in holder.__dict__.items() if k == "bucket_accounts"}
            buffer = io.BytesIO()
            pickler = Pickler(buffer, self.folder / "objects")
            pickler.dump({"backends": content, "holder": extra})
            data = buffer.getvalue()
            digest = hashlib.sha256(data).hexdigest()
            if self.files.get(service, {}).get("sha256") != digest:
                self.files[service] = {
                    "file": f"{service}-{digest[:16]}.pickle",
                    "sha256": digest,
                    "backends": sorted(content),
                    "objects": sorted(pickler.blobs),
                }
                found[service] = data
        return found

    def describe(self) -> str:
        """Return the manifest for the state as `changed` last saw it."""
        content = {
            "format": FORMAT,
            "moto": moto.__version__,
            "region": self.region,
            "seed": self.seed,
            "files": self.files,
            "asked": self.asked,
            "made": self.made,
        }
        return json.dumps(content)

    def write(self, pickles: dict[str, bytes], manifest: str) -> None:
        """Write pickles, then the manifest; only then does the old state go."""
        content = json.loads(manifest)["files"]
        for service, data in pickles.items():
            write_whole(self.folder / "state" / content[service]["file"], data)
        write_whole(self.manifest, manifest)
        if pickles:
            remove_others(self.folder / "state", {entry["file"] for entry in content.values()})
            remove_others(self.folder / "objects", set(content.get("s3", {}).get("objects", ())))


def holders() -> list[Any]:
    """Return moto's holders of backends in use, one a service."""
    return list(BackendDict._instances)  # type: ignore[misc]


def remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove what `folder` holds beside the wanted names."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def unreadable(path: Path, why: str) -> BadInput:
    """Return the refusal of an account's file."""
    return BadInput(
        f"The rehearsal's account cannot be read: {path}",
        why=why,
        fix="Nothing was changed. Remove the rehearsal's folder to start with an empty account.",
    )


class Pickler(pickle.Pickler):
    """Pickles a service's state: backends by name, large contents by digest, locks as new ones."""

    def __init__(self, file: io.BytesIO, objects: Path) -> None:
        super().__init__(file, protocol=5)
        self.objects = objects
        self.blobs: set[str] = set()

    def persistent_id(self, obj: Any) -> Any:
        """Name what is not part of the pickle itself."""
        if isinstance(obj, BaseBackend):
            for holder in holders():
                if isinstance(obj, holder.backend):
                    return "backend", holder.service_name, obj.account_id, obj.region_name
        if isinstance(obj, BackendDict):
            return "service", obj.service_name
        if isinstance(obj, bytes) and len(obj) >= BLOB_BYTES:
            digest = hashlib.sha256(obj).hexdigest()
            if digest not in self.blobs and not (self.objects / digest).exists():
                write_whole(self.objects / digest, obj)
            self.blobs.add(digest)
            return "object", digest
        return None

    def reducer_override(self, obj: Any) -> Any:
        """Say how to make anew what pickle cannot write."""
        if type(obj) in LOCKS:
            return LOCKS[type(obj)], ()
        if isinstance(obj, RSAPrivateKey | EllipticCurvePrivateKey):
            plain = serialization.NoEncryption()
            form = serialization.PrivateFormat.PKCS8
            return load_key, (obj.private_bytes(serialization.Encoding.DER, form, plain),)
        return NotImplemented


class Unpickler(pickle.Unpickler):
    """Reads what `Pickler` wrote. The files are the user's own, as trusted as this program."""

    def __init__(self, file: io.BytesIO, objects: Path) -> None:
        super().__init__(file)
        self.objects = objects

    def persistent_load(self, pid: Any) -> Any:
        """Return what a name stands for."""
        kind, *rest = pid
        if kind == "object":
            path = self.objects / rest[0]
            try:
                data = path.read_bytes()
            except OSError as error:
                raise unreadable(path, str(error)) from error
            if hashlib.sha256(data).hexdigest() != rest[0]:
                raise unreadable(path, "It is cut short or was changed by something else.")
            return data
        holder = backends.get_backend(rest[0])
        return holder if kind == "service" else holder[rest[1]][rest[2]]


def load_key(data: bytes) -> Any:
    """Return the private key that `data` (PKCS8, DER) holds: a module-level name, for pickle."""
    return serialization.load_der_private_key(data, password=None)
