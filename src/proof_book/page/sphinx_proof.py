"""The panel under each result: label, sources, notebook, code, a recorded run, its cost.

It is a `details` element, so that it is closed while reading, opens with the keyboard, and needs
no script. What it says is in `results/provenance.json`.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from pangeo_core.origin import Origin
from proof_book.identity.notebook_files import FOLDER as NOTEBOOKS
from proof_book.page.executed_results import FOLDER, Result
from proof_book.page.provenance import FILE
from proof_book.run.execute import MEMORY_MB

SHORT = 12  # of a digest: enough to compare by eye


class details(nodes.comment):  # noqa: N801 - docutils names its nodes so
    """What opens when its first child, the summary, is pressed.

    A kind of comment, since Sphinx's search leaves those out: who searches for words of the text
    should not find them in every panel.
    """


class summary(nodes.General, nodes.TextElement):  # noqa: N801
    """The line of a `details` that is always seen."""


@lru_cache(maxsize=1)
def _proof(source: Path) -> Any:
    return json.loads((source / FOLDER / FILE).read_text())


def panel(result: Result, env: BuildEnvironment) -> nodes.Element:
    """Return the provenance of `result` as a closed panel."""
    proof = _proof(Path(env.srcdir))
    own = proof["results"][result.key]
    book = proof["notebooks"][result.notebook]
    rows = nodes.definition_list(classes=["proof"])
    for term, definition in (
        ("Label", _plain(f"{result.origin}. {Origin(result.origin).meaning}")),
        ("Sources", _sources(own, book)),
        ("Computed by", _computed(result, own, book, env)),
        ("Parameters", _parameters(book)),
        ("Code", _plain(_code(proof, book))),
        ("A recorded run", _plain(_run(book))),
        ("To do it again", _again(book)),
        ("Fresh?", _fresh(proof)),
    ):
        item = nodes.definition_list_item()
        item += nodes.term(term, term)
        item += nodes.definition("", definition)
        rows += item
    whole = details(classes=["result-proof"])
    whole += summary("", "Sources and proof")
    whole += rows
    return whole


def _plain(text: str) -> nodes.paragraph:
    return nodes.paragraph(text, text)


def _link(text: str, address: str, *, internal: bool = False) -> nodes.reference:
    return nodes.reference("", text, refuri=address, internal=internal)


def _computed(result: Result, own: Any, book: Any, env: BuildEnvironment) -> nodes.paragraph:
    name = f"{book['file'].split('/')[-1]}, cell {result.cell}"
    page = env.app.builder.get_relative_uri(env.docname, f"notebooks/{result.notebook}")
    line = nodes.paragraph()
    line += _link(name, f"{page}#{result.anchor}", internal=True)
    line += nodes.Text(" (")
    line += _link("source", own["source"])
    line += nodes.Text(")")
    return line


def _parameters(book: Any) -> nodes.paragraph:
    given = ", ".join(f"{name} = {value}" for name, value in book["parameters"].items())
    return nodes.paragraph("", "", nodes.literal(given, given)) if given else _plain("none")


def _sources(own: Any, book: Any) -> nodes.Element:
    lines = nodes.line_block()
    for source in own["sources"]:
        line = nodes.line("", source)
        if digest := own["digests"].get(source):
            line += nodes.Text(", sha256 ")
            line += nodes.literal("", digest[:SHORT])
            if origin := book["inputs"].get(source, {}).get("origin"):
                line += nodes.Text(f". {origin}")
        lines += line
    others = len(book["inputs"])
    if others:
        text = f"The notebook declares {others} input file{'s' if others > 1 else ''}: all of them"
        line = nodes.line("", f"{text} are in the book's RO-Crate.")
        lines += line
    return lines


def _code(proof: Any, book: Any) -> str:
    commit = proof["commit"]
    at = f"commit {commit[:SHORT]}" if commit else "a working copy with changes"
    package = proof["package"]
    return (
        f"{package['name']} {package['version']}, {at}; {book['modules']} of its files are behind "
        f"this notebook, sources key {book['sources_key']}"
    )


def _run(book: Any) -> str:
    run = book["recorded_run"]
    if not run:
        return "none"
    of = "of these sources" if run["current"] else "of earlier sources"
    return (
        f"{float(run['seconds']):.1f} s and at most {float(run['peak_mb']):.0f} MB for the whole "
        f"notebook, {of}, on {run['on']} ({run.get('machine', 'machine not recorded')})"
    )


def _again(book: Any) -> nodes.paragraph:
    line = nodes.paragraph()
    if usd := book.get("usd_to_reproduce"):
        line += nodes.Text(f"{usd} USD of an {book['machine']} at its list price (modelled), or ")
        line += _link("on Binder", book["binder"])
    else:
        line += _link("On Binder", book["binder"])
    return line


def _fresh(proof: Any) -> nodes.paragraph:
    state = "Executed from the sources of this commit. "
    if not proof["commit"]:
        state = "Executed from the sources of this working copy. "
    line = nodes.paragraph(state, state)
    line += nodes.literal("", "pangeo-deploy book status")
    line += nodes.Text(" tells what has changed since.")
    return line


def _badge(app: Sphinx, tree: nodes.document) -> None:
    """Put the way to Binder, and what a run takes of it, under the title of a notebook's page."""
    folder, _, name = app.env.docname.rpartition("/")
    book = _proof(Path(app.srcdir))["notebooks"].get(name) if folder == NOTEBOOKS else None
    heading = next(iter(tree.findall(nodes.title)), None)
    if book is None or heading is None:
        return
    line = nodes.paragraph(classes=["binder-line"])
    link = _link("Run it on Binder", book["binder"])
    link["classes"] = ["binder-badge"]
    line += link
    if run := book["recorded_run"]:
        seconds, peak = float(run["seconds"]), float(run["peak_mb"])
        fits = "Fits" if peak < MEMORY_MB else "Does not fit"
        line += nodes.Text(
            f" {fits}: a run took {seconds:.0f} s and at most {peak:.0f} of the {MEMORY_MB} MB "
            f"there, on {run['on']} "
        )
        line += nodes.inline("measured", "measured", classes=["origin", "origin-measured"])
    heading.parent.insert(heading.parent.index(heading) + 1, line)


def _open(tag: str) -> Any:
    def visit(self: Any, node: nodes.Element) -> None:
        self.body.append(self.starttag(node, tag))

    return visit


def _close(tag: str) -> Any:
    def depart(self: Any, node: nodes.Element) -> None:
        self.body.append(f"</{tag}>\n")

    return depart


def setup(app: Sphinx) -> None:
    """Register the panel's nodes with Sphinx."""
    for node in (details, summary):
        app.add_node(node, html=(_open(node.__name__), _close(node.__name__)))
    app.connect("doctree-read", _badge)
