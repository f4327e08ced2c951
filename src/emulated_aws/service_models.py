"""Read AWS's service models and tables for boto3 and moto once in a process, and only on demand.

The way boto3 and moto read them, they take half of the memory of a process with an account.
"""

import gzip
import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.loaders import JSONFileLoader, Loader

OFFERINGS = "resources/instance_type_offerings"


class Undocumented(JSONFileLoader):  # type: ignore[misc]
    """botocore's file reader, without the documentation, which makes up most of the files."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.load(file, object_pairs_hook=_undocumented)


def _undocumented(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The key stays: botocore adds to some of the texts. A member of a shape may have that name too.
    return {
        name: "" if name == "documentation" and isinstance(value, str) else value
        for name, value in pairs
    }


class Models(Loader):  # type: ignore[misc]
    """botocore's loader, without its search of every service's folder before it loads one."""

    FILE_LOADER_CLASS = Undocumented

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the services that have models, of whatever type."""
        folders = (Path(path) for path in self.search_paths)
        return [one.name for folder in folders if folder.is_dir() for one in folder.iterdir()]


@cache
def models() -> Models:
    """Return the process's loader: sessions that share it read each service model once."""
    return Models()


class Offered(Mapping[str, list[dict[str, Any]]]):
    """The instance types that EC2 offers by region, read from moto's `folder` on demand."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.name.split(".")[0]: path for path in sorted(folder.iterdir())}
        self._kind = folder.name
        self._read: dict[str, list[dict[str, Any]]] = {}

    def __getitem__(self, region: str) -> list[dict[str, Any]]:
        if region not in self._read:
            data = self._files[region].read_bytes()
            text = gzip.decompress(data) if self._files[region].suffix == ".gz" else data
            self._read[region] = [{**one, "LocationType": self._kind} for one in json.loads(text)]
        return self._read[region]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@contextmanager
def offerings_when_asked() -> Iterator[None]:
    """Have moto's EC2, if imported in the block, read each region's offerings on demand."""
    utils = importlib.import_module("moto.utilities.utils")
    read = utils.load_resource

    def load(resource: str) -> Any:
        return [] if OFFERINGS in resource else read(resource)

    with mock.patch.object(utils, "load_resource", load):
        yield
    # If it was imported before, it has read all of them already.
    types = importlib.import_module("moto.ec2.models.instance_types")
    for kind, regions in types.INSTANCE_TYPE_OFFERINGS.items():
        if regions and not isinstance(regions, Offered) and not any(regions.values()):
            types.INSTANCE_TYPE_OFFERINGS[kind] = Offered(types.root / OFFERINGS / kind)


def policy_of_aws(name: str) -> dict[str, Any] | None:
    """Return an AWS managed policy from moto's data, or None; only one of thousands is parsed."""
    text = importlib.import_module("moto.iam.aws_managed_policies").aws_managed_policies_data
    begins = f"\n {json.dumps(name)}:"  # the outermost level is indented by one
    at = text.find(begins)
    if at < 0:
        return None
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text, at + len(begins))[0]
    return found
