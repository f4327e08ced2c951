"""Sphinx extension: what the book says of itself: how to cite it, its versions, what moved.

    ```{byline}
    ```
    ```{citation}
    ```
    ```{versions}
    ```
    ```{figure-changes}
    ```

`results/book.json`, which `stage` writes, holds all of it.
"""

import datetime
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective, SphinxRole

from proof_book.page.executed_results import FOLDER
from proof_book.page.sphinx_nodes import code, paragraph

FILE = "book.json"
PREVIEW = "preview.png"
SHORT = 10  # of a commit


@lru_cache(maxsize=1)
def _about(source: Path) -> Any:
    return json.loads((source / FOLDER / FILE).read_text())


class Byline(SphinxDirective):
    """Say who wrote a page and when it was released; such pages are in the feed."""

    def run(self) -> list[nodes.Node]:
        """Return the line."""
        about = _about(Path(self.env.srcdir))
        line = paragraph(f"By {about['author']}. {_day(about['released'])}.")
        line["classes"].append("byline")
        return [line]


def _day(date: str) -> str:
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {day:%B %Y}"


class Citation(SphinxDirective):
    """Say how to cite the book: as text and for BibTeX, with a link that lasts."""

    def run(self) -> list[nodes.Node]:
        """Return both forms."""
        about = _about(Path(self.env.srcdir))
        year, doi = about["released"][:4], about["doi"]
        address = f"https://doi.org/{doi}" if doi else about["permanent"]
        who, title, version = about["author"], about["title"], about["version"]
        text = f"{who} ({year}). {title}, version {version}. "
        plain = nodes.paragraph(text, text, classes=["cite-text"])
        plain += nodes.reference("", address, refuri=address)
        bibtex = (
            "@software{pangeo_deploy,\n"
            f"  author  = {{{{{who}}}}},\n  title   = {{{title}}},\n  year    = {{{year}}},\n"
            f"  version = {{{version}}},\n  url     = {{{address}}},\n"
            + (f"  doi     = {{{doi}}},\n" if doi else "")
            + "}"
        )
        return [plain, code(bibtex, "bibtex")]


class Versions(SphinxDirective):
    """List the versions of the book, each with its sources."""

    def run(self) -> list[nodes.Node]:
        """Return the list, or a sentence where there is none."""
        about = _about(Path(self.env.srcdir))
        if not about["versions"]:
            return [
                paragraph("No version has been published yet; this one is built from the sources.")
            ]
        lines = nodes.bullet_list()
        for row in reversed(about["versions"]):
            line = nodes.paragraph("", f"{row['version']}, {row['date']}: ")
            address = f"{about['repository']}/tree/{row['commit']}"
            line += nodes.reference("", f"commit {row['commit'][:SHORT]}", refuri=address)
            lines += nodes.list_item("", line)
        return [paragraph("Each is built again, to the byte, from its commit."), lines]


class FigureChanges(SphinxDirective):
    """List which results moved since the last version, and by how much."""

    def run(self) -> list[nodes.Node]:
        """Return the list, or a sentence where there is nothing to compare or nothing moved."""
        about = _about(Path(self.env.srcdir))
        since, moved = about["since"], about["moved"]
        if not since:
            return [paragraph("There is no earlier version to compare with.")]
        if not moved:
            return [paragraph(f"Since {since}, no figure, table or number has moved.")]
        lines = nodes.bullet_list()
        for one in moved:
            line = nodes.paragraph()
            line += nodes.literal("", one["key"])
            line += nodes.Text(f" {_how(one)}")
            lines += nodes.list_item("", line)
        return [paragraph(f"Since {since}:"), lines]


def _how(one: Any) -> str:
    if one["what"] != "changed" or not one["before"]:
        return "is " + one["what"] if one["what"] != "changed" else "shows other data"
    by = f" ({100 * (one['ratio'] - 1):+.1f} %)" if one["ratio"] else ""
    return f"from {one['before']} to {one['now']}{by}"


class TypedRole(SphinxRole):
    """A number that is typed on purpose, although a notebook computes one that reads the same."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number as text."""
        return [nodes.Text(self.text)], []


def _describe(app: Sphinx, config: Config) -> None:
    """Tell sphinxext-opengraph, which writes each page's preview tags, of this book."""
    about = _about(Path(app.srcdir))
    config.ogp_site_name = about["title"]
    config.ogp_site_url = f"{about['address']}/" if about["address"] else ""
    if about["address"] and about["preview"]:
        config.ogp_image = f"{about['address']}/{PREVIEW}"
        config.ogp_image_alt = about["preview"]
        config.ogp_use_first_image = False


def _in_order(app: Sphinx, config: Config) -> None:
    """Load style sheets and scripts by name: Jupyter Book lists them as the disk does."""
    for files in (config.html_css_files, config.html_js_files):
        files.sort(key=str)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, the role and the previews with Sphinx."""
    app.add_directive("byline", Byline)
    app.add_directive("citation", Citation)
    app.add_directive("versions", Versions)
    app.add_directive("figure-changes", FigureChanges)
    app.add_role("typed", TypedRole())
    app.setup_extension("sphinxext.opengraph")
    app.connect("config-inited", _describe)
    app.connect("config-inited", _in_order)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
