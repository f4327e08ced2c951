"""moto's state as files: a pickle per service, and a manifest of the files that belong together."""

import copy
import hashlib
import importlib
import io
import json
import pickle
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import moto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from moto.core.base_backend import BackendDict, BaseBackend

from emulated_aws.operations.store import Things
from pangeo_core.errors import BadInput
from pangeo_core.files import write_whole

FORMAT = 3
S3 = "moto.s3.models:s3_backends"
BLOB_BYTES = 4096  # S3 objects of this size or more get a file of their own
# The tagging API's backend holds only half-read responses: generators, which cannot be pickled.
STATELESS = {"moto.resourcegroupstaggingapi.models:resourcegroupstaggingapi_backends"}
PLAIN = frozenset({str, int, float, bool, type(None), dict, list, tuple, type})
LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}

Files = dict[str, dict[str, Any]]
Defaults = TypeVar("Defaults", bound="defaultdict[Any, Any]")


@dataclass
class State:
    """An account's saved state in `folder`, and what is needed to continue it.

    `asked` counts how often each changing request was made, so that ids never repeat; `made` holds
    responses that a killed run may not have recorded (see `account.making`). `files` has, for each
    of moto's holders of backends, its pickle's name and digest as last written. `things` are the
    resources of our own operations.
    """

    folder: Path
    region: str
    seed: str = "rehearsal"
    asked: dict[str, int] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    things: Things = field(default_factory=Things)

    @property
    def manifest(self) -> Path:
        """The file that is replaced last and alone determines the state."""
        return self.folder / "account.json"

    def load(self) -> None:
        """Load the folder's state into moto's (empty) backends.

        Raises `BadInput`, without changing anything, for damaged files and those of another moto.
        """
        content = self._read_manifest()
        self.region, self.seed = content["region"], content["seed"]
        self.asked, self.made, self.files = content["asked"], content["made"], content["files"]
        self.things = Things(content["things"])
        pickles = {name: self._read_pickle(entry) for name, entry in self.files.items()}
        for name, entry in self.files.items():
            holder = find_holder(name)
            for account, region in entry["backends"]:
                # Not constructed (EC2's would make a default VPC): its state is what was saved.
                dict.__setitem__(holder[account], region, object.__new__(holder.backend))
        for name, data in pickles.items():
            holder = find_holder(name)
            loaded = Unpickler(io.BytesIO(data), self.folder / "objects").load()
            for (account, region), attributes in loaded["backends"].items():
                holder[account][region].__dict__.update(attributes)
            holder.__dict__.update(loaded["holder"])

    def _read_manifest(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.manifest.read_bytes())
            made_by = (content["format"], content["moto"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = f"It is cut short or not a rehearsal's: {error}"
            raise unreadable(self.manifest, why) from error
        if made_by != (FORMAT, moto.__version__):
            why = (
                f"It was written with moto {made_by[1]} in format {made_by[0]}; "
                f"this is moto {moto.__version__} and format {FORMAT}."
            )
            raise unreadable(self.manifest, why)
        return content

    def _read_pickle(self, entry: dict[str, Any]) -> bytes:
        return read_checked(self.folder / "state" / entry["file"], entry["sha256"])

    def changed(self, objects: bool) -> tuple[Files, dict[str, bytes]]:
        """Return the new list of files, and the pickles of services changed since the last write.

        One request may change several services (an EFS mount target creates a network interface),
        so all are compared; S3, whose objects may be large, only if `objects`.
        """
        files, pickles = dict(self.files), {}
        for holder in holders():
            name = name_of(holder)
            if name in STATELESS or (name == S3 and not objects and name in files):
                continue
            content = {
                (account, region): backend.__dict__
                for account, region, backend in holder.iter_backends()
            }
            # Bucket names are global: moto keeps them outside the accounts.
            extra = {k: v for k, v in holder.__dict__.items() if k == "bucket_accounts"}
            buffer = io.BytesIO()
            pickler = Pickler(buffer, self.folder / "objects")
            pickler.dump({"backends": content, "holder": extra})
            data = buffer.getvalue()
            digest = hashlib.sha256(data).hexdigest()
            if files.get(name, {}).get("sha256") != digest:
                files[name] = {
                    "file": f"{holder.service_name}-{digest[:16]}.pickle",
                    "sha256": digest,
                    "backends": sorted(content),
                    "objects": sorted(pickler.blobs),
                }
                pickles[name] = data
        return files, pickles

    def describe(self, files: Files) -> str:
        """Return the manifest of the present state in these files."""
        content = {
            "format": FORMAT,
            "moto": moto.__version__,
            "region": self.region,
            "seed": self.seed,
            "files": files,
            "asked": self.asked,
            "made": self.made,
            "things": self.things.content,
        }
        return json.dumps(content)

    def write(self, files: Files, pickles: dict[str, bytes], manifest: str) -> None:
        """Write the pickles, then the manifest; only then remove the old state.

        Safe if the process is killed. A power cut may leave a file that does not match its digest:
        it is refused when it is read, which costs less than waiting for the disk at each change.
        """
        for name, data in pickles.items():
            write_whole(self.folder / "state" / files[name]["file"], data, durable=False)
        write_whole(self.manifest, manifest, durable=False)
        self.files = files
        if pickles:
            remove_others(self.folder / "state", {entry["file"] for entry in files.values()})
        if S3 in pickles:
            remove_others(self.folder / "objects", set(files[S3]["objects"]))


def holders() -> list[Any]:
    """Return moto's holders of backends in use, one for each service."""
    return list(BackendDict._instances)  # type: ignore[misc]


def name_of(holder: Any) -> str:
    """Return a holder's module and its name there."""
    module = importlib.import_module(holder.backend.__module__)
    return next(
        f"{module.__name__}:{key}" for key, value in vars(module).items() if value is holder
    )


def find_holder(name: str) -> Any:
    """Return the holder of that name."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove the files in `folder` that are not among the wanted names."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def read_checked(path: Path, digest: str) -> bytes:
    """Return a file's content. Raises `BadInput` if it is not what was written."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, str(error)) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise unreadable(path, "It is cut short or was changed by something else.")
    return data


def unreadable(path: Path, why: str) -> BadInput:
    """Return the error for an account's file that cannot be read."""
    return BadInput(
        f"The rehearsal's account cannot be read: {path}",
        why=why,
        fix="Nothing was changed. `pangeo-deploy reset` removes it.",
    )


class Pickler(pickle.Pickler):
    """Pickles a service's state: backends by name, large objects by digest, locks as new ones."""

    def __init__(self, file: io.BytesIO, objects: Path) -> None:
        super().__init__(file, protocol=5)
        self.objects = objects
        self.blobs: set[str] = set()

    def persistent_id(self, obj: Any) -> Any:
        """Return the name of an object that is not part of the pickle itself."""
        if type(obj) in PLAIN:  # nearly all: pickle asks about every single object
            return None
        if isinstance(obj, BaseBackend):
            for holder in holders():
                if isinstance(obj, holder.backend):
                    return "backend", name_of(holder), obj.account_id, obj.region_name
        if isinstance(obj, BackendDict):
            return "holder", name_of(obj)
        if isinstance(obj, bytes) and len(obj) >= BLOB_BYTES:
            digest = hashlib.sha256(obj).hexdigest()
            if digest not in self.blobs and not (self.objects / digest).exists():
                write_whole(self.objects / digest, obj)
            self.blobs.add(digest)
            return "object", digest
        return None

    def reducer_override(self, obj: Any) -> Any:
        """Return how to recreate an object that cannot be pickled."""
        if type(obj) in LOCKS:
            return LOCKS[type(obj)], ()
        if isinstance(obj, RSAPrivateKey | EllipticCurvePrivateKey):
            plain = serialization.NoEncryption()
            form = serialization.PrivateFormat.PKCS8
            return load_key, (obj.private_bytes(serialization.Encoding.DER, form, plain),)
        if isinstance(obj, defaultdict):  # moto has subclasses, and lambdas as factories, in SSM
            items = iter(dict.items(obj))
            known = (type(obj), named(obj.default_factory))
            return remade, known, getattr(obj, "__dict__", None) or None, None, items
        return NotImplemented


def named(factory: Callable[[], Any] | None) -> Callable[[], Any] | None:
    """Return a factory of the same values that can be pickled."""
    if factory is None or "<lambda>" not in getattr(factory, "__name__", ""):
        return factory
    value = factory()
    if type(value) is defaultdict:
        return partial(defaultdict, named(value.default_factory))
    return partial(copy.deepcopy, value)


def remade(kind: type[Defaults], factory: Callable[[], Any] | None) -> Defaults:
    """Return an empty dictionary of a class whose constructor may take more than the factory."""
    empty = kind.__new__(kind)
    empty.default_factory = factory
    return empty


class Unpickler(pickle.Unpickler):
    """Reads what `Pickler` wrote. The files are the user's own, and as trusted as this program."""

    def __init__(self, file: io.BytesIO, objects: Path) -> None:
        super().__init__(file)
        self.objects = objects

    def persistent_load(self, pid: Any) -> Any:
        """Return the object that a name stands for."""
        kind, name, *rest = pid
        if kind == "object":
            return read_checked(self.objects / name, name)
        holder = find_holder(name)
        return holder if kind == "holder" else holder[rest[0]][rest[1]]


def load_key(data: bytes) -> Any:
    """Return the private key that `data` (PKCS8, DER) holds: a module-level name, for pickle."""
    return serialization.load_der_private_key(data, password=None)
