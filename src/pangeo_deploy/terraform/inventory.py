"""What the HCL declares, module by module, and what refers to what: read from the code alone."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import hcl2

from pangeo_core.errors import BadInput
from pangeo_deploy.terraform.services import service

_REFERENCE = re.compile(
    r"(?<![\w.])(?:(data)\.(aws_\w+)\.(\w+)|(aws_\w+)\.(\w+)|(module)\.(\w+)(?:\.(\w+))?|(local|var)\.(\w+))"
)


@dataclass(frozen=True)
class Declared:
    """One resource block.

    `module` is `root` or the module's path, `repeated` is `count`, `for_each` or empty; `taggable`
    and `emulated` (False: the rehearsal only keeps it) are of its type.
    """

    module: str
    type: str
    name: str
    service: str
    repeated: str
    taggable: bool
    emulated: bool

    @property
    def address(self) -> str:
        """The address without instance keys, as a plan writes it."""
        within = "".join(f"module.{part}." for part in self.module.split(".") if part != "root")
        return f"{within}{self.type}.{self.name}"


@dataclass(frozen=True)
class Inventory:
    """All resources, and the pairs (address, address it refers to).

    A resource refers to another directly, or through locals, variables, outputs and data sources.
    """

    resources: tuple[Declared, ...]
    references: tuple[tuple[str, str], ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that declare something, in name order."""
        return tuple(sorted({one.module for one in self.resources}))

    def module_references(self) -> dict[tuple[str, str], int]:
        """Return how many references go from one module to another, by the pair of names."""
        module = {one.address: one.module for one in self.resources}
        pairs = Counter((module[source], module[target]) for source, target in self.references)
        return {pair: count for pair, count in sorted(pairs.items()) if pair[0] != pair[1]}

    def rows(self) -> list[dict[str, Any]]:
        """Return one plain row a resource, for a table."""
        return [
            {
                "module": one.module,
                "type": one.type,
                "name": one.name,
                "service": one.service,
                "repeated": one.repeated,
                "taggable": one.taggable,
                "emulated": one.emulated,
            }
            for one in self.resources
        ]


def read(folder: Path, taggable: Container[str], kept: Container[str]) -> Inventory:
    """Return what the root module in `folder` and the modules it calls declare.

    `taggable` and `kept` hold resource types: those with tags, and those without an emulated API.
    Raises `BadInput` for a file that is not HCL.
    """
    tree = _tree(folder, ())
    declared = [
        Declared(
            ".".join(path) or "root",
            type_,
            name,
            service(type_),
            next((word for word in ("count", "for_each") if word in body), ""),
            type_ in taggable,
            type_ not in kept,
        )
        for path, module in tree.items()
        for (type_, name), body in module.resources.items()
    ]
    address = {(one.module, one.type, one.name): one.address for one in declared}
    references = {
        (address[".".join(path) or "root", type_, name], address[target])
        for path, module in tree.items()
        for (type_, name), body in module.resources.items()
        for target in _reached(tree, path, body, set())
    }
    ordered = sorted(declared, key=lambda one: (one.module != "root", one.address))
    return Inventory(
        tuple(ordered), tuple(sorted((one, other) for one, other in references if one != other))
    )


Path_ = tuple[str, ...]
Body = Mapping[str, Any]


@dataclass
class _Module:
    """The blocks of one module's files."""

    resources: dict[tuple[str, str], Body] = field(default_factory=dict)
    data: dict[tuple[str, str], Body] = field(default_factory=dict)
    calls: dict[str, Body] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Body] = field(default_factory=dict)


def _tree(folder: Path, path: Path_) -> dict[Path_, _Module]:
    """Return the module in `folder` and all below it, by the path of call names."""
    module = _Module()
    for file in sorted(folder.glob("*.tf")):
        for kind, block in blocks(file):
            match kind:
                case "resource" | "data":
                    into = module.resources if kind == "resource" else module.data
                    into |= {
                        (t, n): body for t, named in block.items() for n, body in named.items()
                    }
                case "module":
                    module.calls |= block
                case "output":
                    module.outputs |= block
                case "locals":
                    module.locals |= block
    tree = {path: module}
    for name, call in module.calls.items():
        tree |= _tree(folder / call["source"], (*path, name))
    return tree


def blocks(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (kind, block) of a file: labels as nested keys, expressions as `${...}`.

    Raises `BadInput` for a file that is not HCL.
    """
    try:
        content = _parsed(file.read_text())
    except Exception as error:  # the parser raises its own and its grammar's exceptions
        raise BadInput(f"{file} is not HCL.", why=str(error).splitlines()[0]) from error
    for kind, found in content.items():
        if isinstance(found, list) and not kind.startswith("__"):
            yield from ((kind, _plain(block)) for block in found)


@lru_cache(maxsize=128)  # parsing is slow, and the same text is read by inventory and rules
def _parsed(text: str) -> dict[str, Any]:
    return hcl2.loads(text)


def _plain(value: Any) -> Any:
    """Return the parser's value without its marks, and literal strings without their quotes."""
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _reached(
    tree: Mapping[Path_, _Module], path: Path_, value: Any, seen: set[tuple[Path_, str]]
) -> Iterator[tuple[str, str, str]]:
    """Yield (module, type, name) of each resource that an expression in module `path` leads to."""
    module = tree[path]
    for reference in _references(value):
        if (path, reference[0]) in seen:
            continue
        seen.add((path, reference[0]))
        match reference[1:]:
            case ("resource", type_, name) if (type_, name) in module.resources:
                yield ".".join(path) or "root", type_, name
            case ("data", type_, name):
                yield from _reached(tree, path, module.data.get((type_, name)), seen)
            case ("local", name):
                yield from _reached(tree, path, module.locals.get(name), seen)
            case ("var", name) if path:
                argument = tree[path[:-1]].calls[path[-1]].get(name)
                yield from _reached(tree, path[:-1], argument, seen)
            case ("module", name, "") if (*path, name) in tree:
                below = ".".join((*path, name))
                yield from ((below, *key) for key in tree[(*path, name)].resources)
            case ("module", name, output) if (*path, name) in tree:
                target = tree[(*path, name)].outputs.get(output)
                yield from _reached(tree, (*path, name), target, seen)


def _references(value: Any) -> Iterator[tuple[str, ...]]:
    """Yield (text, kind, names...) of every reference in the expressions of a value."""
    for text in _strings(value):
        for found in _REFERENCE.finditer(text) if "${" in text else ():
            data, data_type, data_name, type_, name, module, call, output, word, rest = (
                found.groups()
            )
            if data:
                yield found[0], "data", data_type, data_name
            elif type_:
                yield found[0], "resource", type_, name
            elif module:
                yield found[0], "module", call, output or ""
            else:
                yield found[0], word, rest


def _strings(value: Any) -> Iterable[str]:
    """Yield every string in a value, keys too: they can be expressions."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
