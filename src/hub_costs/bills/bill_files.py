"""Where a bill's files lie: files, folders, globs and `s3://` prefixes."""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pangeo_core.errors import BadInput, MissingPrerequisite

KINDS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".json": "json"}
# Gzip reaches 1,032:1 on zeros; bills stay below 40:1.
_MAX_RATIO, _PROBE = 200, 64 * 2**20


@dataclass(frozen=True)
class Source:
    """One file: where to read it, its kind, what tells its content, and when it was written."""

    location: str
    kind: str
    digest: str
    modified: float


def find(paths: Sequence[str | Path], client: Any = None) -> list[Source]:
    """Return the bill's files under `paths`, oldest first, each content once.

    A path is a file, a folder (searched through), a glob, or an `s3://bucket/prefix`, listed with
    `client` (a boto3 S3 client; made from the environment where it is None). Raises `BadInput`
    where a path holds nothing to read, and names what it does hold.
    """
    found: dict[str, Source] = {}
    for path in map(str, paths):
        sources = list(_bucket(path, client) if path.startswith("s3://") else _local(Path(path)))
        if not sources:
            raise BadInput(
                f"There is no bill in {path}.", fix=f"Files must end in {', '.join(KINDS)}."
            )
        for source in sources:
            found.setdefault(source.digest, source)
    return sorted(found.values(), key=lambda source: (source.modified, source.location))


def _local(path: Path) -> Iterable[Source]:
    if path.is_file():
        files, named = [path], True
    elif path.is_dir():
        files, named = sorted(p for p in path.rglob("*") if p.is_file()), False
    else:
        anchor = Path(path.anchor or ".")
        files, named = sorted(anchor.glob(str(path.relative_to(path.anchor)))), False
        if not files:
            raise BadInput(f"There is no {path}.", fix="Give a file, a folder or a glob.")
    for file in files:
        kind = kind_of(file.name)
        if kind is None and named:
            raise BadInput(
                f"{file} is none of the kinds that can be read.",
                fix=f"Files must end in {', '.join(KINDS)}; unpack a zip first.",
            )
        if kind is None or _hidden(file, path):
            continue
        if file.stat().st_size == 0:
            raise BadInput(f"{file} is empty.", fix="Fetch it again.")
        if file.name.endswith(".gz"):
            with file.open("rb") as stream:
                check_gzip(stream, file.stat().st_size, str(file))
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield Source(str(file), kind, digest, file.stat().st_mtime)


def _hidden(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts if root in file.parents else (file.name,)
    # not bills: AWS' manifests and our own record of calls
    manifest = file.suffix == ".json" and ("manifest" in file.name.lower() or "calls" in file.name)
    return manifest or any(part.startswith((".", "_")) for part in parts)


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


def _bucket(url: str, client: Any) -> Iterable[Source]:
    import boto3  # only for s3://, and slow to import
    from botocore.exceptions import BotoCoreError, ClientError

    parts = urlsplit(url)
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    try:
        client = client or boto3.client("s3")
        pages = client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                kind = kind_of(item["Key"])
                if kind and item["Size"] and "manifest" not in item["Key"].lower():
                    if item["Key"].endswith(".gz"):
                        body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"]
                        check_gzip(body, item["Size"], item["Key"])
                    yield Source(
                        f"s3://{bucket}/{item['Key']}",
                        kind,
                        f"{item['ETag']}-{item['Size']}",
                        item["LastModified"].timestamp(),
                    )
    except (BotoCoreError, ClientError) as error:
        raise MissingPrerequisite(
            f"{url} cannot be listed.",
            why=str(error),
            fix="Check the bucket's name, and that you may s3:ListBucket and s3:GetObject on it.",
        ) from None
