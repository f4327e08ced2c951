"""What each person keeps at home: a csv with `user` and `gib`, or the homes themselves."""

import os
from pathlib import Path

import pandas as pd

from pangeo_core.errors import BadInput


def read(path: Path) -> pd.DataFrame:
    """Return the table in `path`; the report checks its columns. `BadInput` if it is no csv."""
    try:
        return pd.read_csv(path, comment="#")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} cannot be read.", why=str(error), fix="Give a csv with user and gib."
        ) from error


def measure(folder: Path) -> pd.DataFrame:
    """Return what each folder in `folder`, named for its user, holds; links are not followed.

    A file that is gone or closed to us while we look counts as nothing.
    """
    rows = [
        {"user": home.name, "gib": round(_bytes(home) / 2**30, 6)}
        for home in sorted(folder.iterdir())
        if home.is_dir()
    ]
    return pd.DataFrame(rows, columns=["user", "gib"])


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue
    return total
