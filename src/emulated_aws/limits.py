"""What a configuration uses that is not emulated, said before Terraform says it otherwise.

Terraform calls a type that a provider does not announce a mistake of the configuration. Here it is
the rehearsal's limit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulated_aws.schema import load
from pangeo_core.errors import BadInput

BLOCK = re.compile(
    r'^[ \t]*(resource|data|ephemeral)[ \t]+"(aws_\w+)"[ \t]+"([^"]+)"', re.MULTILINE
)
SOURCE = re.compile(r'^[ \t]*source[ \t]*=[ \t]*"(\.{1,2}/[^"]*)"', re.MULTILINE)
FUNCTION = re.compile(r"\bprovider::aws::(\w+)")
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
    """Return what the root module in `folder` and its local modules use that is not emulated."""
    return [use for module in modules(folder, set()) for use in uses(module)]


def require_emulated(folder: Path) -> None:
    """Raise `BadInput` if the root module in `folder` uses what is not emulated."""
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
    """Yield what one module uses that is not emulated."""
    schema = load()
    known = {
        "resource": set(schema.resources),
        "data": set(schema.data_sources),
        "ephemeral": set(),
    }
    for path in sorted(folder.glob("*.tf")):
        text = without_comments(path.read_text(errors="replace"))
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
