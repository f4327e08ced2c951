"""The book's provenance as an RO-Crate 1.2 (https://w3id.org/ro/crate/1.2): JSON-LD beside pages.

Each notebook is a file and the instrument of one CreateAction, whose objects are the declared
inputs and whose results are the figures, tables and numbers that it displays.
"""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from proof_book.page.executed_results import FOLDER, Result

FILE = "ro-crate-metadata.json"
VERSION = "1.2"
CONTEXT = f"https://w3id.org/ro/crate/{VERSION}/context"
# By ending, and not as this machine would guess: the book is the same bytes everywhere.
_FORMATS = {
    ".csv": "text/csv",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_LICENSE = "https://spdx.org/licenses/BSD-3-Clause"


def describe(
    project: Path, proof: Mapping[str, Any], found: Mapping[str, Result], published: Path
) -> dict[str, Any]:
    """Return the crate of the book of `project`: its JSON-LD document.

    `published` is the folder that becomes the top of the book: it holds the results' files.
    """
    citation = _citation(project)
    blob = f"{proof['repository']}/blob/{proof['commit'] or 'main'}"
    inputs = {
        path: entry
        for book in proof["notebooks"].values()
        for path, entry in book["inputs"].items()
    }
    data = [
        *[_input(project, path, entry, blob, proof) for path, entry in sorted(inputs.items())],
        *[_book(project, name, book) for name, book in proof["notebooks"].items()],
        *[_file(one, what, published) for one in found.values() for what in sorted(one.files)],
    ]
    numbers = [_number(one) for one in found.values() if one.kind == "number"]
    program = {
        "@id": "#pangeo-deploy",
        "@type": "SoftwareApplication",
        "name": proof["package"]["name"],
        "version": proof["package"]["version"],
        "url": proof["repository"],
        **({"softwareVersion": proof["commit"]} if proof["commit"] else {}),
    }
    return {
        "@context": CONTEXT,
        "@graph": [
            {
                "@id": FILE,
                "@type": "CreativeWork",
                "conformsTo": {"@id": f"https://w3id.org/ro/crate/{VERSION}"},
                "about": {"@id": "./"},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": citation.get("title", "The book"),
                "description": citation.get("abstract", "A book computed from notebooks."),
                "datePublished": str(citation.get("date-released", "1970-01-01")),
                "license": {"@id": _LICENSE},
                "publisher": {"@id": "#publisher"},
                "hasPart": [{"@id": one["@id"]} for one in data],
                "mentions": [{"@id": f"#run-{name}"} for name in proof["notebooks"]],
            },
            {
                "@id": _LICENSE,
                "@type": "CreativeWork",
                "name": "BSD 3-Clause",
                "description": "Use, change and pass on, with the copyright notice; no warranty.",
            },
            {
                "@id": "#publisher",
                "@type": "Organization",
                "name": citation.get("authors", [{}])[0].get("name", "The authors"),
                "url": proof["repository"],
            },
            {
                "@id": "#python",
                "@type": "ComputerLanguage",
                "name": "Python",
                "url": "https://www.python.org",
                "version": ".".join(platform.python_version_tuple()[:2]),
            },
            program,
            *data,
            *[_run(name, book, found) for name, book in proof["notebooks"].items()],
            *numbers,
        ],
    }


def _citation(project: Path) -> dict[str, Any]:
    file = project / "CITATION.cff"
    return dict(yaml.safe_load(file.read_text())) if file.exists() else {}


def _input(
    project: Path, path: str, entry: Mapping[str, str], blob: str, proof: Mapping[str, Any]
) -> dict[str, Any]:
    readers = [name for name, book in proof["notebooks"].items() if path in book["inputs"]]
    return {
        "@id": f"{blob}/{path}",
        "@type": "File",
        "name": path,
        "description": entry["origin"] or f"An input of {', '.join(readers)}.",
        "sha256": entry["sha256"],
        **_form(project / path),
    }


def _book(project: Path, name: str, book: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": book["source"],
        "@type": ["File", "SoftwareSourceCode"],
        "name": name,
        "description": "A notebook: it computes the results that its run names.",
        "programmingLanguage": {"@id": "#python"},
        **_form(project / book["file"]),
    }


def _form(file: Path) -> dict[str, str]:
    """Return how long a file is and what it is."""
    return {
        "contentSize": str(file.stat().st_size),
        "encodingFormat": _FORMATS.get(file.suffix, "text/plain"),
    }


def _run(name: str, book: Mapping[str, Any], found: Mapping[str, Result]) -> dict[str, Any]:
    base = book["source"].removesuffix(f"/{book['file']}?plain=1")
    own = [one for one in found.values() if one.notebook == name]
    made = [f"{FOLDER}/{file}" for one in own for file in sorted(one.files.values())]
    made += [f"#{one.anchor}" for one in own if one.kind == "number"]
    parameters = ", ".join(f"{key} = {value}" for key, value in book["parameters"].items())
    return {
        "@id": f"#run-{name}",
        "@type": "CreateAction",
        "name": f"Execution of {name}" + (f" with {parameters}" if parameters else ""),
        "description": f"Sources {book['sources_key']}, {book['modules']} files of the package.",
        "instrument": [{"@id": book["source"]}, {"@id": "#pangeo-deploy"}],
        "object": [{"@id": f"{base}/{path}"} for path in sorted(book["inputs"])],
        "result": [{"@id": one} for one in made],
    }


def _file(one: Result, content: str, published: Path) -> dict[str, Any]:
    name = f"{FOLDER}/{one.files[content]}"
    return {
        "@id": name,
        "@type": "File",
        "name": f"{one.key} ({content})",
        "description": f"{one.alt or one.caption} {_sources(one)}",
        "keywords": one.origin,
        **_form(published / name),
    }


def _number(one: Result) -> dict[str, Any]:
    return {
        "@id": f"#{one.anchor}",
        "@type": "PropertyValue",
        "name": one.key,
        "description": f"{one.caption} {_sources(one)}",
        "value": one.value,
        **({"unitText": one.unit} if one.unit else {}),
        "additionalType": one.origin,
    }


def _sources(one: Result) -> str:
    # In words: a `citation` must be an address, and many sources have none.
    return f"Sources: {'; '.join(one.sources)}."
