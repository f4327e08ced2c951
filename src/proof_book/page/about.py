"""What the book says of itself, for `sphinx_book`: citation, versions, what moved, its preview."""

import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from proof_book.page import executed_results, versions

# The figure that stands for the book where a link to it is shown.
SHOWN = "05-cost/floor-and-users"


def describe(
    project: Path, folder: Path, config: Mapping[str, Any], commit: str | None, preview: str
) -> dict[str, Any]:
    """Return the JSON of `results/book.json`; `folder` holds the results that were collected."""
    file = project / "CITATION.cff"
    citation = dict(yaml.safe_load(file.read_text())) if file.exists() else {}
    repository = str(config.get("repository", {}).get("url", ""))
    before = versions.last(project)
    moved = versions.moved(before.get("results", {}), versions.summary(folder)) if before else []
    return {
        "title": citation.get("title", config.get("title", "")),
        "author": (citation.get("authors") or [{"name": config.get("author", "")}])[0]["name"],
        "version": str(citation.get("version", "")),
        "released": str(citation.get("date-released", "")),
        "repository": repository,
        "permanent": f"{repository}/tree/{commit}" if commit else repository,
        "address": _address(repository),
        "versions": versions.read(project),
        "since": before.get("version", ""),
        "moved": [asdict(one) for one in moved],
        "preview": preview,
    }


def _address(repository: str) -> str:
    """Return where GitHub Pages serves a repository's book."""
    parts = repository.removeprefix("https://github.com/").split("/")
    return f"https://{parts[0].lower()}.github.io/{parts[1]}" if len(parts) == 2 else ""


def preview(
    found: Mapping[str, executed_results.Result], folder: Path, title: str
) -> tuple[bytes, str]:
    """Return a picture (PNG, 1200 x 630) of one result's data, and what it shows; or nothing."""
    shown = found.get(SHOWN)
    if shown is None:
        return b"", ""
    import matplotlib as mpl
    import pandas as pd
    from matplotlib.figure import Figure

    from proof_book.figures import style

    data = pd.read_csv(folder / shown.files["data"])
    settings = {**style.rc(False, SHOWN), "figure.constrained_layout.use": False}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(12, 6.3), dpi=100)
        axes = figure.add_axes((0.07, 0.12, 0.9, 0.66))
        numbers = data.select_dtypes("number")
        bottom = numbers.iloc[:, 0] * 0
        for column in numbers:
            axes.bar(data.iloc[:, 0].astype(str), numbers[column], bottom=bottom, label=column)
            bottom = bottom + numbers[column]
        axes.set_ylim(top=1.18 * bottom.max())
        axes.legend(loc="upper left", ncols=len(numbers.columns))
        figure.text(0.07, 0.89, title, size=26, weight="bold")
        figure.text(0.07, 0.82, shown.caption, size=13)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue(), shown.alt
