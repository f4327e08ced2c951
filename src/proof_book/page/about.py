"""What the book says of itself: citation, versions, preview, feed, all its data as one file."""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from proof_book.page import executed_results, versions

# The figure that stands for the book where a link to it is shown, and what it shows, in a sentence
# with numbers of the notebooks.
SHOWN = "05-cost/floor-and-users"
FINDING = (
    "Users' machines were {05-cost/users-share-low} to {05-cost/users-share-high} "
    "of a month's bill."
)
FEED = "feed.xml"
ARCHIVE = "data.zip"
BYLINE = "```{byline}"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is built


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
        "doi": str(citation.get("doi", "")),
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


def _finding(found: Mapping[str, executed_results.Result]) -> str:
    """Return the book's finding, or nothing where a number that it names is missing."""
    names = re.findall(r"{([^}]+)}", FINDING)
    if not all(name in found for name in names):
        return ""
    return re.sub(r"{([^}]+)}", lambda name: found[name[1]].text, FINDING)


def feed(about: Mapping[str, Any], pages: Iterable[Path]) -> str:
    """Return an Atom feed of the pages that carry a byline, newest version of each."""
    from xml.sax.saxutils import escape

    home, moment = about["address"], f"{about['released']}T00:00:00Z"
    entries = []
    for page in sorted(pages):
        text = page.read_text(encoding="utf-8")
        if BYLINE not in text:
            continue
        title = text.partition("\n")[0].lstrip("# ")
        lead = re.search(r"```{div} lead\n(.*?)\n```", text, re.DOTALL)
        address = f"{home}/{page.stem}.html"
        entries.append(
            f"  <entry>\n    <title>{escape(title)}</title>\n    <id>{address}</id>\n"
            f'    <link href="{address}"/>\n    <updated>{moment}</updated>\n'
            f"    <summary>{escape(' '.join((lead[1] if lead else title).split()))}</summary>\n"
            "  </entry>\n"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"  <title>{escape(about['title'])}</title>\n  <id>{home}/</id>\n"
        f'  <link href="{home}/"/>\n  <link rel="self" href="{home}/{FEED}"/>\n'
        f"  <updated>{moment}</updated>\n"
        f"  <author><name>{escape(about['author'])}</name></author>\n"
        f"{''.join(entries)}</feed>\n"
    )


def archive(project: Path, results: Path, target: Path) -> None:
    """Write all data of the book into one zip file: what notebooks read, and what they showed."""
    files = [(path, path.relative_to(project)) for path in (project / "data").rglob("*")]
    files += [(path, Path("results") / path.name) for path in results.glob("*.csv")]
    with zipfile.ZipFile(target, "w") as whole:
        for path, name in sorted(files, key=lambda pair: str(pair[1])):
            if path.is_file():
                entry = zipfile.ZipInfo(name.as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                whole.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


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
        figure.text(0.07, 0.89, _finding(found) or shown.caption, size=22, weight="bold")
        figure.text(0.07, 0.82, f"{title}. {shown.caption}", size=13)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue(), shown.alt
