"""Where the tables of `data/` lie."""

from pathlib import Path

from pangeo_core.errors import MissingPrerequisite


def find(file: str, start: Path | None = None) -> Path:
    """Return the nearest `data/FILE`: in `start` (default: here) or above, else our own.

    Our own is the checkout's, or the copy that an installed package carries.

    Raises `MissingPrerequisite` where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "data" / file).is_file():
            return folder / "data" / file
    raise MissingPrerequisite(
        f"There is no data/{file} in {here} or above.",
        fix="Run inside a clone of the repository, or name the file.",
    )
