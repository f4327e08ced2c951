"""The published site: the book of main at the top, each release's book under its version."""

import io
import re
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

from pangeo_core.errors import BadInput

ARCHIVE = re.compile(r"book-([A-Za-z0-9][A-Za-z0-9._-]*)\.tar\.gz")


def assemble(book: Path, archives: Iterable[tuple[str, bytes]], out: Path) -> list[str]:
    """Lay out the site in `out` and return the versions in it.

    `archives` are (file name, content) of releases' books, `book-VERSION.tar.gz`. Raises `BadInput`
    for an archive that would write outside of its version's folder, or hide a page of main.
    """
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(book, out)
    versions = []
    for name, content in archives:
        match = ARCHIVE.fullmatch(name)
        if not match:
            continue
        version = match[1]
        folder = out / version
        if folder.exists():
            raise BadInput(f"The release {version} is called like a page of the book.")
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BadInput(f"{name} is not a book.", why=str(error)) from error
        versions.append(version)
    return sorted(versions)
