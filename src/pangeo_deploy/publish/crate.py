"""The book's provenance as an RO-Crate 1.2 (https://w3id.org/ro/crate/1.2): JSON-LD beside pages.

Each notebook is a file and the instrument of one CreateAction, whose objects are the declared
inputs and whose results are the figures, tables and numbers that it displays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pangeo_deploy.publish.results import FOLDER, Result

FILE = "ro-crate-metadata.json"
VERSION = "1.2"
CONTEXT = f"https://w3id.org/ro/crate/{VERSION}/context"
_ENDINGS = {".csv": "text/csv", ".svg": "image/svg+xml"}


def describe(
    project: Path, proof: Mapping[str, Any], found: Mapping[str, Result]
) -> dict[str, Any]:
    """Return the crate of the book of `project`: its JSON-LD document."""
    citation = _citation(project)
    blob = f"{proof['repository']}/blob/{proof['commit'] or 'main'}"
    inputs = {
        path: entry
        for book in proof["notebooks"].values()
        for path, entry in book["inputs"].items()
    }
    files = [f"{FOLDER}/{name}" for one in found.values() for name in sorted(one.files.values())]
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
                "license": {"@id": "https://spdx.org/licenses/BSD-3-Clause"},
                "hasPart": [{"@id": name} for name in files],
                "mentions": [{"@id": f"#run-{name}"} for name in proof["notebooks"]],
            },
            {
                "@id": "https://spdx.org/licenses/BSD-3-Clause",
                "@type": "CreativeWork",
                "name": "BSD 3-Clause",
            },
            program,
            *[_input(path, entry, blob) for path, entry in sorted(inputs.items())],
            *[_book(name, book) for name, book in proof["notebooks"].items()],
            *[_run(name, book, found) for name, book in proof["notebooks"].items()],
            *[_file(one, content) for one in found.values() for content in sorted(one.files)],
            *numbers,
        ],
    }


def _citation(project: Path) -> dict[str, Any]:
    file = project / "CITATION.cff"
    return dict(yaml.safe_load(file.read_text())) if file.exists() else {}


def _input(path: str, entry: Mapping[str, str], blob: str) -> dict[str, Any]:
    described = {"description": entry["origin"]} if entry["origin"] else {}
    return {
        "@id": f"{blob}/{path}",
        "@type": "File",
        "name": path,
        "sha256": entry["sha256"],
        **described,
    }


def _book(name: str, book: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": book["source"],
        "@type": ["File", "SoftwareSourceCode"],
        "name": name,
        "encodingFormat": "application/x-ipynb+json",
        "programmingLanguage": "Python",
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


def _file(one: Result, content: str) -> dict[str, Any]:
    name = one.files[content]
    return {
        "@id": f"{FOLDER}/{name}",
        "@type": "File",
        "name": f"{one.key} ({content})",
        "description": one.alt or one.caption,
        "encodingFormat": _ENDINGS[Path(name).suffix],
        "keywords": one.origin,
        "citation": list(one.sources),
    }


def _number(one: Result) -> dict[str, Any]:
    return {
        "@id": f"#{one.anchor}",
        "@type": "PropertyValue",
        "name": one.key,
        "description": one.caption,
        "value": one.value,
        **({"unitText": one.unit} if one.unit else {}),
        "additionalType": one.origin,
        "citation": list(one.sources),
    }
