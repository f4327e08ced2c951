"""What each person keeps at home: a csv with `user` and `gib`."""

from pathlib import Path

import pandas as pd

from pangeo_deploy.errors import BadInput


def read(path: Path) -> pd.DataFrame:
    """Return the table in `path`; the report checks its columns. `BadInput` if it is no csv."""
    try:
        return pd.read_csv(path, comment="#")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} cannot be read.", why=str(error), fix="Give a csv with user and gib."
        ) from error
