"""Sphinx extension: show the notebooks' results on any page, each with where it comes from.

    ```{result} 05-cost/cost-by-service
    :name: fig-cost            (optional: a label for {numref} and {ref})
    ```
    {value}`05-cost/headline-low`
    {origin}`measured`         (the label; ```{origins}``` lists what the labels mean)
    ```{embedded-data} 06-what-if/calculator-grid
    ```                        (the rows of a result, for a script of the page: JSON, not shown)

The same rendering serves the result in its own notebook's page, through myst-nb's entry point for
mime types. What may be shown is in `results/index.json` beside the pages.
"""

import csv
import difflib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from pangeo_core.origin import RESULT, Origin
from proof_book.identity.notebook_files import FOLDER as NOTEBOOKS
from proof_book.page import sphinx_proof as proof
from proof_book.page.executed_results import FOLDER, INDEX, Result, load
from proof_book.page.spreadsheet import shown
from proof_book.page.stage import PROSE

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _index(source: Path) -> dict[str, Result]:
    return load(source / FOLDER)


def find(env: BuildEnvironment, key: str, location: Any) -> Result | None:
    """Return the result that `key` names, or warn, with what was probably meant."""
    env.note_dependency(str(Path(env.srcdir) / FOLDER / INDEX))
    known = _index(Path(env.srcdir))
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
    near += [
        name for name in known if name.split("/")[-1] == key.split("/")[-1] and name not in near
    ]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    logger.warning("no notebook has a result %s%s", key, hint, location=location, type="results")
    return None


class unnumbered_figure(nodes.figure):  # noqa: N801 - docutils names its nodes so
    """A figure on its notebook's page: only prose counts figures, so that each has one number."""


class unnumbered_table(nodes.table):  # noqa: N801
    """A table on its notebook's page."""


class ResultDirective(SphinxDirective):
    """Show a figure, table or number of a notebook as a block."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the block's nodes."""
        result = find(self.env, self.arguments[0], self.get_location())
        if result is None:
            return []
        block = block_of(result, self.env)
        self.set_source_info(block)
        self.add_name(block)
        return [block]


class EmbeddedData(SphinxDirective):
    """Put the rows of a figure or table into the page as JSON, for a script of the page to read."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a script element whose id is the result's anchor with `-rows` after it."""
        result = find(self.env, self.arguments[0], self.get_location())
        if result is None or "data" not in result.files:
            return []
        with (Path(self.env.srcdir) / FOLDER / result.files["data"]).open(newline="") as file:
            rows = [[shown(cell) for cell in row] for row in csv.reader(file)]
        text = json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c")
        opened = f'<script type="application/json" id="{result.anchor}-rows">'
        return [nodes.raw("", f"{opened}{text}</script>", format="html")]


class ValueRole(SphinxRole):
    """Show a number of a notebook in running text, linked to where it was computed."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number's nodes."""
        result = find(self.env, self.text, self.get_location())
        if result is None:
            return [], []
        if result.kind != "number":
            logger.warning(
                "%s is a %s, not a number: show it with the result directive",
                result.key,
                result.kind,
                location=self.get_location(),
                type="results",
            )
            return [], []
        return [value_of(result, self.env)], []


class OriginRole(SphinxRole):
    """Show an origin's label in running text."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the label's nodes."""
        return [badge(self.text)], []


class OriginsDirective(SphinxDirective):
    """List what each origin means."""

    def run(self) -> list[nodes.Node]:
        """Return the list's nodes."""
        whole = nodes.definition_list(classes=["origins"])
        for origin in Origin:
            item = nodes.definition_list_item()
            item += nodes.term("", "", badge(origin))
            item += nodes.definition("", nodes.paragraph(origin.meaning, origin.meaning))
            whole += item
        return [whole]


class ResultRenderer:
    """myst-nb's way to the same rendering, for a result in its own notebook's page."""

    mime_priority_overrides: ClassVar[list[tuple[str, str, int | None]]] = [("*", RESULT, 1)]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """Return the result's nodes, or None for what is not a result."""
        if data.mime_type != RESULT or inline:
            return None
        env = renderer.renderer.sphinx_env
        key = f"{Path(env.docname).name}/{data.content['name']}"
        result = find(env, key, env.docname)
        return None if result is None else [block_of(result, env)]


def block_of(result: Result, env: BuildEnvironment) -> nodes.Element:
    """Return `result` as a block: the thing itself, its caption, and where it comes from."""
    at_home = _is_home(result, env)
    # One line: the label, the ways to more, and the panel, closed.
    foot = nodes.container(classes=["result-provenance"])
    foot += [_links(result, env), proof.panel(result, env)]
    if result.kind == "figure":
        block = _figure(result, unnumbered_figure if at_home else nodes.figure)
        block += nodes.legend("", foot)
    else:
        block = nodes.container(classes=["result", f"result-{result.kind}"])
        if result.kind == "table":
            node = unnumbered_table if at_home else nodes.table
            block += _table(result, Path(env.srcdir), node)
        else:
            block += _number(result)
        block += foot
    block["ids"].append(result.anchor)
    return block


def _figure(result: Result, node: type[nodes.Element]) -> nodes.Element:
    figure = node(classes=["result", "result-figure"])
    # Wrapped, because the theme hides a caption that follows a picture of the other mode.
    # The theme lets the keyboard into a container of this name where it scrolls: on a phone.
    pictures = nodes.container(classes=["result-pictures", "pst-scrollable-table-container"])
    for mode in ("light", "dark"):
        uri = f"/{FOLDER}/{result.files[mode]}"
        pictures += nodes.image(uri=uri, alt=result.alt, classes=[f"only-{mode}"])
    figure += pictures
    figure += nodes.caption(result.caption, result.caption)
    return figure


def _table(result: Result, source: Path, node: type[nodes.Element]) -> nodes.Element:
    with (source / FOLDER / result.files["data"]).open(newline="") as file:
        header, *rows = [[shown(cell) for cell in row] for row in csv.reader(file)]
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1, stub=1 if i == 0 else None) for i in range(len(header))]
    for section, records in ((nodes.thead(), [header]), (nodes.tbody(), rows)):
        group += section
        for record in records:
            row = nodes.row()
            section += row
            for cell, right in zip(record, numeric, strict=True):
                entry = nodes.entry(classes=["number"] if right else [])
                entry += nodes.paragraph(cell, cell)
                row += entry
    return node("", nodes.title(result.caption, result.caption), group)


def _number(result: Result) -> nodes.Element:
    line = nodes.paragraph(classes=["result-line"])
    line += nodes.strong(result.text, result.text)
    line += nodes.Text(f" {result.caption}")
    return line


def value_of(result: Result, env: BuildEnvironment) -> nodes.Element:
    """Return the number as text that links to its notebook and says its origin."""
    where = f"{result.caption} ({result.origin}; notebook {result.notebook}, cell {result.cell})"
    link = nodes.reference(
        "",
        "",
        internal=True,
        refuri=_address(result, env),
        reftitle=where,
        classes=["result-inline", f"origin-{result.origin}"],
    )
    # A number and its unit stay on one line.
    text = result.text.replace(" ", "\N{NO-BREAK SPACE}")
    link += nodes.inline(text, text)
    return link


def badge(origin: str) -> nodes.Element:
    """Return the label of an origin: a word, so that nobody needs the colour."""
    return nodes.inline(origin, origin, classes=["origin", f"origin-{origin}"])


def _links(result: Result, env: BuildEnvironment) -> nodes.Element:
    line = nodes.paragraph(classes=["result-links"])
    line += badge(result.origin)
    if not _is_home(result, env):
        text = f"Notebook {result.notebook}, cell {result.cell}"
        line += nodes.reference("", text, internal=True, refuri=_address(result, env))
    for content, text in (("data", "Data (CSV)"), ("light", "Figure (SVG)")):
        if content in result.files:
            target = f"/{FOLDER}/{result.files[content]}"
            link = addnodes.download_reference("", "", reftarget=target, refdoc=env.docname)
            link += nodes.inline(text, text)
            line += link
    return line


def _is_home(result: Result, env: BuildEnvironment) -> bool:
    return bool(env.docname == f"{NOTEBOOKS}/{result.notebook}")


def _address(result: Result, env: BuildEnvironment) -> str:
    page = env.app.builder.get_relative_uri(env.docname, f"{NOTEBOOKS}/{result.notebook}")
    return f"{page}#{result.anchor}"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip("% "))
    except ValueError:
        return False
    return True


def _finish_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Point `Show source` at the file in the repository, and name folded code as it reads."""
    if not page.startswith(f"{NOTEBOOKS}/"):
        context["doc_path"] = PROSE
    # myst-nb's own name for it does not hold the visible text (WCAG 2.5.3).
    named = '<summary aria-label="Toggle hidden content">'
    context["body"] = context.get("body", "").replace(named, "<summary>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, the role and the page's source links with Sphinx."""
    app.add_directive("result", ResultDirective)
    app.add_directive("embedded-data", EmbeddedData)
    app.add_directive("origins", OriginsDirective)
    app.add_role("value", ValueRole())
    app.add_role("origin", OriginRole())
    proof.setup(app)
    app.connect("html-page-context", _finish_page, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
