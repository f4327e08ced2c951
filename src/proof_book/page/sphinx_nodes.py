"""Docutils nodes that the reference pages are built from."""

import re
from collections.abc import Iterable

from docutils import nodes

_CODE = re.compile(r"``?([^`]+)``?")


def section(title: str, anchor: str, *, code: bool = False) -> nodes.section:
    """Return a section with its heading, in code's letters if it names code."""
    heading = nodes.title()
    heading += nodes.literal(title, title) if code else nodes.Text(title)
    result = nodes.section(ids=[anchor], names=[anchor])
    result += heading
    return result


def paragraph(text: str, classes: Iterable[str] = ()) -> nodes.paragraph:
    """Return `text` as a paragraph; what stands between backticks is code."""
    result = nodes.paragraph(classes=list(classes))
    for number, part in enumerate(_CODE.split(" ".join(text.split()))):
        if part:
            result += nodes.literal(part, part) if number % 2 else nodes.Text(part)
    return result


def paragraphs(text: str) -> list[nodes.paragraph]:
    """Return the paragraphs of a docstring."""
    return [paragraph(part) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def definitions(
    entries: Iterable[tuple[str, Iterable[nodes.Node]]], classes: Iterable[str] = ()
) -> nodes.definition_list:
    """Return a list of code terms, each with the nodes that explain it."""
    result = nodes.definition_list(classes=list(classes))
    for term, explained in entries:
        item = nodes.definition_list_item()
        item += nodes.term("", "", nodes.literal(term, term))
        item += nodes.definition("", *explained)
        result += item
    return result


def code(text: str, language: str) -> nodes.literal_block:
    """Return a block of code."""
    return nodes.literal_block(text, text, language=language)
