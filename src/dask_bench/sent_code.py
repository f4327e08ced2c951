"""Send this package to a cluster whose image does not have it."""

import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import dask_bench
import pangeo_core


def send_code(client: Any) -> None:
    """Send `dask_bench`, and what it imports of this project, to the scheduler and all workers.

    Workers that join later get it too.
    """
    with tempfile.TemporaryDirectory() as folder:
        client.upload_file(str(pack(Path(folder) / "dask_bench_sent.zip")))


def pack(path: Path) -> Path:
    """Write the packages to a zip file that Python imports from."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in (dask_bench, pangeo_core):
            root = _folder(package)
            for file in sorted(root.rglob("*.py")):
                archive.write(file, file.relative_to(root.parent).as_posix())
    return path


def _folder(package: ModuleType) -> Path:
    return Path(str(package.__file__)).parent
