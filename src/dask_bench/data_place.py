"""The place of the data: a folder, or a prefix of an object store that every worker can reach.

A folder of this machine is visible to its own processes, but not to the workers of a gateway.
`require_seen` checks that before anything is measured.
"""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore, ObjectStore

from pangeo_core.errors import MissingPrerequisite

Place = Path | str  # a folder, or a URL such as s3://bucket/prefix
KNOWN_BUCKETS = ("PANGEO_SCRATCH", "SCRATCH_BUCKET")  # the hub sets a user's prefix in these


def parse(text: str) -> Place:
    """Return the place that a user named: a URL as it is, anything else as a folder."""
    return text.rstrip("/") if "://" in text else Path(text)


def scratch_bucket() -> str | None:
    """Return the prefix of the hub's scratch bucket that belongs to this server's user."""
    return next(
        (os.environ[name].rstrip("/") for name in KNOWN_BUCKETS if name in os.environ), None
    )


def join(place: Place, *names: str) -> Place:
    """Return a place below another."""
    return place.joinpath(*names) if isinstance(place, Path) else "/".join((place, *names))


def kind(place: Place) -> str:
    """Return the `place` of the run table: disk, or the scheme of the URL."""
    return "disk" if isinstance(place, Path) else place.split("://")[0]


def zarr_store(place: Place, *, read_only: bool = False) -> Any:
    """Return a Zarr store at `place`; it can be sent to workers."""
    if isinstance(place, Path):
        return LocalStore(place, read_only=read_only)
    return ObjectStore(objects(place), read_only=read_only)


def objects(url: str) -> Any:
    """Return obstore's store at `url`, with the endpoint that AWS_ENDPOINT_URL names.

    Credentials are those of the reading process: a worker uses its own. Only with a custom endpoint
    are this process' keys sent along.
    """
    from obstore.store import from_url

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint or not url.startswith("s3://"):
        return from_url(url)
    return from_url(
        url,
        endpoint=endpoint,
        region=os.environ.get("AWS_REGION", "us-east-1"),
        access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "none"),
        secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "none"),
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def exists(place: Place, name: str) -> bool:
    """Return whether there is a file, or object, of this name."""
    return get(place, name) is not None


def get(place: Place, name: str) -> bytes | None:
    """Return a file's bytes, or None if it does not exist."""
    if isinstance(place, Path):
        path = place / name
        return path.read_bytes() if path.is_file() else None
    return _object(objects(place), name)


def _object(store: Any, name: str) -> bytes | None:
    import obstore

    try:
        return bytes(obstore.get(store, name).bytes())
    except FileNotFoundError:
        return None


def put(place: Place, name: str, content: bytes) -> None:
    """Write a small file."""
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
        return
    import obstore

    obstore.put(objects(place), name, content)


def drop(place: Place, name: str) -> None:
    """Remove one small file."""
    if isinstance(place, Path):
        (place / name).unlink(missing_ok=True)
        return
    import obstore

    obstore.delete(objects(place), [name])


def remove(place: Place) -> None:
    """Remove everything at `place`."""
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
        return
    import obstore

    store = objects(place)
    for names in obstore.list(store):
        obstore.delete(store, [entry["path"] for entry in names])


def stored_bytes(place: Place) -> int:
    """Return the bytes of all stored chunks of the variables of a Zarr store."""
    if isinstance(place, Path):
        sizes = {
            file.relative_to(place).as_posix(): file.stat().st_size
            for file in place.rglob("*")
            if file.is_file()
        }
    else:
        import obstore

        sizes = {
            entry["path"]: entry["size"]
            for names in obstore.list(objects(place))
            for entry in names
        }
    return sum(
        size for name, size in sizes.items() if name.startswith("v") and not name.endswith(".json")
    )


def require_seen(client: Any, place: Place) -> None:
    """Check that each worker can read a file written by this process.

    Raises `MissingPrerequisite` naming the workers that cannot.
    """
    mark = uuid.uuid4().hex
    name = f"seen-{mark}"
    put(place, name, mark.encode())
    # Sent in the same way as the data's stores: with the endpoint, and a worker's own credentials.
    reach = place if isinstance(place, Path) else objects(place)
    answers = client.run(_see, reach, name)
    lost = [who for who, answer in answers.items() if answer != mark]
    drop(place, name)
    if lost:
        raise MissingPrerequisite(
            f"{len(lost)} of {len(answers)} workers do not see {place}.",
            why=f"For example {lost[0]}: {answers[lost[0]]}",
            fix="Name a place that all of them reach: --data s3://bucket/prefix, such as the hub's "
            "scratch bucket.",
        )


def _see(reach: Any, name: str) -> str:
    try:
        content = get(reach, name) if isinstance(reach, Path) else _object(reach, name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "it is not there" if content is None else content.decode()
