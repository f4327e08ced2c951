"""Where a bill's files lie: files, folders, globs and `s3://` prefixes."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pangeo_core.errors import BadInput, MissingPrerequisite

KINDS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".json": "json"}
# What bills also come in and is not read: it is named, never passed over in silence.
ARCHIVES = (".zip", ".7z", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".gz", ".xlsx", ".xls", ".tsv")
# Gzip reaches 1,032:1 on zeros; bills stay below 40:1.
_MAX_RATIO, _PROBE = 200, 64 * 2**20


@dataclass(frozen=True)
class Source:
    """One file: where to read it, its kind, and when it was written."""

    location: str
    kind: str
    modified: float


@dataclass
class Listing:
    """What lies under the given paths: the bill's files, its manifests, and what is not read."""

    sources: list[Source] = field(default_factory=list)
    manifests: list[tuple[str, dict[str, Any], float]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    """A file as it is listed, before it is known to be of use."""

    location: str
    size: int
    modified: float
    content: Callable[[], bytes]


def find(paths: Sequence[str | Path], client: Any = None) -> Listing:
    """Return the bill's files under `paths`, oldest first, and what lies beside them.

    A path is a file, a folder (searched through), a glob, or an `s3://bucket/prefix`, listed with
    `client` (a boto3 S3 client; made from the environment where it is None). Raises `BadInput`
    where a path holds nothing to read, and names what it does hold.
    """
    listing = Listing()
    entries: dict[str, tuple[_Entry, str]] = {}
    for path in map(str, paths):
        here = list(_bucket(path, client) if path.startswith("s3://") else _local(Path(path)))
        before = len(entries), len(listing.manifests)
        for entry in here:
            _sort(entry, listing, entries)
        if (len(entries), len(listing.manifests)) == before and not any(
            entry.location in entries for entry in here
        ):
            also = f"It holds {', '.join(e.location for e in here[:3])}." if here else ""
            raise BadInput(
                f"There is no bill in {path}.",
                why=also,
                fix=f"Files must end in {', '.join(KINDS)}; unpack archives first.",
            )
    ordered = sorted(entries.values(), key=lambda e: (e[0].modified, e[0].location))
    listing.sources = [Source(e.location, kind, e.modified) for e, kind in ordered]
    return listing


def _sort(entry: _Entry, listing: Listing, entries: dict[str, tuple[_Entry, str]]) -> None:
    """Put a listed file where it belongs: bill, manifest, not read, or no concern of ours."""
    name = entry.location.rsplit("/", 1)[-1].lower()
    kind = kind_of(name)
    if name == "explorer-calls.json":  # our own record of requests
        return
    if kind == "json" and "manifest" in name:
        listing.manifests.append((entry.location, _manifest(entry), entry.modified))
    elif kind is not None:
        if entry.size == 0:
            raise BadInput(f"{entry.location} is empty.", fix="Fetch it again.")
        entries.setdefault(entry.location, (entry, kind))
    elif name.endswith(ARCHIVES) and entry.location not in listing.unread:
        listing.unread.append(entry.location)


def _manifest(entry: _Entry) -> dict[str, Any]:
    try:
        read = json.loads(entry.content())
    except ValueError as error:
        raise BadInput(
            f"The manifest {entry.location} is not valid JSON.",
            why=str(error),
            fix="Fetch it again.",
        ) from None
    return read if isinstance(read, dict) else {}


def _local(path: Path) -> Iterator[_Entry]:
    if path.is_file():
        files, root = [path], path.parent
        if kind_of(path.name) is None:
            raise BadInput(
                f"{path} is none of the kinds that can be read.",
                fix=f"Files must end in {', '.join(KINDS)}; unpack a zip first.",
            )
    elif path.is_dir():
        files, root = sorted(p for p in path.rglob("*") if p.is_file()), path
    else:
        root = Path(path.anchor or ".")
        files = sorted(p for p in root.glob(str(path.relative_to(path.anchor))) if p.is_file())
        if not files:
            raise BadInput(f"There is no {path}.", fix="Give a file, a folder or a glob.")
    for file in files:
        parts = file.relative_to(root).parts if root in file.parents else (file.name,)
        if any(part.startswith((".", "_")) for part in parts):
            continue
        size = file.stat().st_size
        if size and file.name.lower().endswith(".csv.gz"):
            with file.open("rb") as stream:
                check_gzip(stream, size, str(file))
        yield _Entry(str(file), size, file.stat().st_mtime, file.read_bytes)


def kind_of(name: str) -> str | None:
    """Return how to read a file of this name, or None."""
    return next((kind for end, kind in KINDS.items() if name.lower().endswith(end)), None)


def check_gzip(stream: Any, size: int, file: str) -> None:
    """Refuse a gzip stream that is corrupt, cut near its start, or grows more than a bill would."""
    read = 0
    try:
        with gzip.open(stream) as unpacked:
            while read < _PROBE and (block := unpacked.read(2**20)):
                read += len(block)
    except (OSError, EOFError) as error:
        raise BadInput(
            f"{file} is not a whole gzip file.", why=str(error), fix="Fetch it again."
        ) from None
    if read > _MAX_RATIO * size:
        raise BadInput(
            f"{file} grows more than {_MAX_RATIO} times when it is unpacked: not a bill.",
            fix="Check where it comes from. If it is right, unpack it yourself and give the csv.",
        )


def filesystem(client: Any) -> Any:
    """Return a filesystem for `s3://` with which DuckDB reads just the parts of files it needs.

    DuckDB's own S3 reader is an extension that must be downloaded; obstore comes with pip. The
    address and credentials are those of `client`, so that one thing decides them.
    """
    import boto3
    from obstore.fsspec import FsspecStore

    client = client or boto3.client("s3")
    session = client._request_signer._credentials
    if session is None:
        raise MissingPrerequisite("There are no AWS credentials.", fix="Log in, or set a profile.")
    frozen = (
        session.get_frozen_credentials() if hasattr(session, "get_frozen_credentials") else session
    )
    config: Any = {
        "access_key_id": frozen.access_key,
        "secret_access_key": frozen.secret_key,
        "region": client.meta.region_name,
        "endpoint": client.meta.endpoint_url,
    }
    if frozen.token:
        config["session_token"] = frozen.token
    local = client.meta.endpoint_url.startswith("http://")
    return FsspecStore("s3", config=config, client_options={"allow_http": local})


def _bucket(url: str, client: Any) -> Iterable[_Entry]:
    import boto3  # only for s3://, and slow to import
    from botocore.exceptions import BotoCoreError, ClientError

    parts = urlsplit(url)
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    try:
        client = client or boto3.client("s3")
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if item["Key"].endswith(".csv.gz"):
                    body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"]
                    check_gzip(body, item["Size"], item["Key"])
                if item["Size"]:
                    yield _Entry(
                        f"s3://{bucket}/{item['Key']}",
                        item["Size"],
                        item["LastModified"].timestamp(),
                        partial(_object, client, bucket, item["Key"]),
                    )
    except (BotoCoreError, ClientError) as error:
        raise MissingPrerequisite(
            f"{url} cannot be listed.",
            why=str(error),
            fix="Check the bucket's name, and that you may s3:ListBucket and s3:GetObject on it.",
        ) from None


def _object(client: Any, bucket: str, key: str) -> bytes:
    content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content
