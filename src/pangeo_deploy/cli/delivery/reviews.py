"""The reviews that commands are given, as files or folders of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

ReviewsArgument = Annotated[
    list[Path], typer.Argument(help="Reviews that `delivery plan` wrote, or folders of them.")
]


def read_reviews(paths: list[Path]) -> list[dict[str, Any]]:
    """Return the reviews in these files and folders."""
    from pangeo_deploy.delivery import plan_review

    return [plan_review.read(file) for path in paths for file in json_files(path)]


def json_files(path: Path) -> list[Path]:
    """Return a folder's JSON files at any depth, none of one that is not there; or the file."""
    return [path] if path.is_file() else sorted(path.rglob("*.json"))
