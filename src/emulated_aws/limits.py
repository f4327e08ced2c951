"""Which of the provider's types a configuration names, and what of it cannot be rehearsed at all.

A type that is known and not emulated is announced where a project names it, and refused where it is
planned. Terraform calls what a provider does not announce a mistake of the configuration. Here it
is the rehearsal's limit.
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
    """One use of what is not emulated, and where."""

    what: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def unemulated(folder: Path) -> list[Unemulated]:
    """Return what the root module in `folder` and its local modules use that is not known."""
    return [use for module in modules(folder, set()) for use in uses(module)]


def require_emulated(folder: Path) -> None:
    """Raise `BadInput` if the root module in `folder` uses what the stand-in cannot announce.

    Those are functions of the provider, ephemeral resources, and types that its schema lacks. A
    type that is known and not emulated is refused by the plan, if anything of it is to be made.
    """
    if found := unemulated(folder):
        raise BadInput(
            f"The rehearsal does not emulate {', '.join(sorted({use.what for use in found}))}.",
            why="\n".join(map(str, found)),
            fix="AWS has it: plan with --target aws, or leave it out to rehearse the rest. How to "
            "add a type is in src/emulated_aws/README.md.",
        )


def modules(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield a module's folder and those of the local modules that it calls."""
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
    """Yield what one module uses that is not even declared by the stand-in."""
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
    """Return the names in a project's files that may be types of the provider, or are no more.

    The files are those below `project`, those of local modules that they call, wherever these are,
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
    """Yield Terraform's files below a folder, once."""
    for place, below, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in files if name.endswith(ENDINGS))


def named_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that look like types of the provider."""
    return frozenset(name for text in texts for name in NAME.findall(text))
