"""Find the provider's types that a configuration names, and what in it cannot be rehearsed.

A known type that is not emulated is in the schema if the project names it, and refused when a plan
needs it. Terraform reports a type missing from the schema as an error in the configuration; here it
is a limit of the rehearsal.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emulated_aws.schema import load_with
from pangeo_core.errors import BadInput

BLOCK = re.compile(
    r'^[ \t]*(resource|data|ephemeral)[ \t]+"(aws_\w+)"[ \t]+"([^"]+)"', re.MULTILINE
)
SOURCE = re.compile(r'^[ \t]*"?source"?[ \t]*[=:][ \t]*"(\.{1,2}/[^"]*)"', re.MULTILINE)
FUNCTION = re.compile(r"\bprovider::aws::(\w+)")
NAME = re.compile(r"\baws_[a-z0-9_]+")
ENDINGS = (".tf", ".tofu", ".tf.json", ".tofu.json", ".tftest.hcl", ".tftest.json")
COMMENT = re.compile(r"/\*.*?\*/|(?m:^[ \t]*(?:#|//)[^\n]*$)", re.DOTALL)


@dataclass(frozen=True)
class Unemulated:
    """A use of something that is not emulated, and its place in the files."""

    what: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def unemulated(folder: Path) -> list[Unemulated]:
    """Return the uses of unknown things in the root module in `folder` and its local modules."""
    return [use for module in modules(folder, set()) for use in uses(module)]


def require_emulated(folder: Path) -> None:
    """Raise `BadInput` if the root module in `folder` uses what the stand-in's schema cannot hold.

    Those are provider functions, ephemeral resources, and types that the provider does not have. A
    known type that is not emulated is refused by the plan, if it would create a resource of it.
    """
    if found := unemulated(folder):
        raise BadInput(
            f"The rehearsal does not emulate {', '.join(sorted({use.what for use in found}))}.",
            why="\n".join(map(str, found)),
            fix="AWS has it: plan with --target aws, or leave it out to rehearse the rest. How to "
            "add a type is in src/emulated_aws/README.md.",
        )


def modules(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield a module's folder and the folders of the local modules it calls."""
    folder = folder.resolve()
    if folder in seen:
        return
    seen.add(folder)
    yield folder
    for path in sorted(folder.glob("*.tf")):
        for source in SOURCE.findall(without_comments(path.read_text(errors="replace"))):
            yield from modules(folder / source, seen)


def without_comments(text: str) -> str:
    """Return HCL with comments blanked: lines keep their numbers."""
    return COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)


def uses(folder: Path) -> Iterator[Unemulated]:
    """Yield a module's uses of things that the stand-in's schema does not have."""
    texts = {
        path: without_comments(path.read_text(errors="replace"))
        for path in sorted(folder.glob("*.tf"))
    }
    schema = load_with(named_in(texts.values()))
    known = {
        "resource": set(schema.resources),
        "data": set(schema.data_sources),
        "ephemeral": set(),
    }
    for path, text in texts.items():
        found = [
            (match.start(2), f"data.{match[2]}" if match[1] == "data" else match[2])
            for match in BLOCK.finditer(text)
            if match[2] not in known[match[1]]
        ]
        found += [
            (match.start(), f"provider::aws::{match[1]}()") for match in FUNCTION.finditer(text)
        ]
        for at, what in sorted(found):
            yield Unemulated(what, path, text.count("\n", 0, at) + 1)


def types_named(project: Path) -> frozenset[str]:
    """Return the names in a project's files that could be current or former provider types.

    The files are those below `project`, those of the local modules they call, wherever they are,
    and those of modules that `terraform init` installed.
    """
    folders = [project]
    if data := os.environ.get("TF_DATA_DIR"):
        folders.append(project / data / "modules")
    seen: set[str] = set()
    found: frozenset[str] = frozenset()
    while folders:
        for path in configuration_files(folders.pop(), seen):
            text = path.read_text(errors="replace")
            found |= named_in([text])
            folders += [path.parent / source for source in SOURCE.findall(text)]
    return found


def configuration_files(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Yield each Terraform file below a folder once."""
    for place, below, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in files if name.endswith(ENDINGS))


def named_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the words in a text that look like types of the provider."""
    return frozenset(name for text in texts for name in NAME.findall(text))
