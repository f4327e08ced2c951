"""The real provider's schema, as data and as messages of Terraform's protocol.

Emulated types are always in it. The others, some two thousand, are in it only if the project names
them: a module may declare resources that it creates only on request.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from tf.gen import tfplugin_pb2 as pb

from emulated_aws.facts import NOTHING, Facts, facts_of

NESTING = {name.lower(): value for name, value in pb.Schema.NestedBlock.NestingMode.items()}


@dataclass(frozen=True)
class Attribute:
    """One attribute: its type as Terraform's JSON writes it, and who may set it."""

    type: Any
    required: bool
    optional: bool
    computed: bool
    deprecated: bool = False


@dataclass(frozen=True)
class Nested:
    """One kind of nested block. `computed`: the provider fills it in if none is configured."""

    block: "Block"
    nesting: str
    least: int
    most: int
    computed: bool


@dataclass(frozen=True)
class Block:
    """The attributes and nested blocks of a block."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, Nested]


@dataclass(frozen=True)
class Type:
    """One resource or data source type. `sdk`: built on the provider's older SDK."""

    name: str
    block: Block
    sdk: bool
    version: int = 0
    emulated: bool = True


@dataclass(frozen=True)
class Schema:
    """The schema that the stand-in reports to Terraform."""

    origin: str
    provider: Block
    resources: Mapping[str, Type]
    data_sources: Mapping[str, Type]
    message: pb.GetProviderSchema.Response = field(repr=False)


# Metadata of a module for the provider: most public modules name themselves.
META = Block({"user_agent": Attribute(["list", "string"], False, True, False)}, {})


@cache
def load() -> Schema:
    """Read the schema file of the package (written by tools/provider_schema.py)."""
    text = resources.files("emulated_aws").joinpath("aws_schema.json").read_text()
    content = json.loads(text)
    provider = read_block(content["provider"])
    kinds: dict[str, dict[str, Type]] = {"resources": {}, "data_sources": {}}
    for section, types in kinds.items():
        for name, entry in content[section].items():
            facts = facts_of(name if section == "resources" else f"data.{name}")
            types[name] = Type(name, read_block(entry, facts), entry["sdk"], facts.version)
    message = pb.GetProviderSchema.Response(
        provider=pb.Schema(block=as_message(provider)),
        provider_meta=pb.Schema(block=as_message(META)),
        resource_schemas=as_messages(kinds["resources"]),
        data_source_schemas=as_messages(kinds["data_sources"]),
    )
    return Schema(content["origin"], provider, kinds["resources"], kinds["data_sources"], message)


@cache
def load_with(names: frozenset[str]) -> Schema:
    """Return the schema extended by the types of these names that the provider has."""
    schema = load()
    others: dict[str, dict[str, Type]] = {"resources": {}, "data_sources": {}}
    for section, name, entry in others_named(names):
        type_ = Type(name, read_block(entry), entry["sdk"], emulated=False)
        others[section][name] = type_
    message = pb.GetProviderSchema.Response(
        resource_schemas=as_messages(others["resources"]),
        data_source_schemas=as_messages(others["data_sources"]),
    )
    message.MergeFrom(schema.message)
    return replace(
        schema,
        resources={**schema.resources, **others["resources"]},
        data_sources={**schema.data_sources, **others["data_sources"]},
        message=message,
    )


def others_named(names: frozenset[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield (section, name, entry) of the types with these names that are not emulated."""
    schema = load()
    if names <= (schema.resources.keys() & schema.data_sources.keys()):
        return
    with (
        resources.files("emulated_aws").joinpath("aws_schema_others.txt.gz").open("rb") as file,
        gzip.open(file, "rt", encoding="utf-8") as lines,
    ):
        for line in lines:
            section, name, text = line.split(" ", 2)
            if name in names:
                yield section, name, json.loads(text)


def read_block(entry: Mapping[str, Any], facts: Facts = NOTHING, path: str = "") -> Block:
    """Read a block of the schema file, completed by facts from the provider's source."""
    attributes = {
        name: Attribute(
            type_, "r" in flags, "o" in flags, "c" in flags, f"{path}{name}" in facts.deprecated
        )
        for name, (flags, type_) in entry.get("attributes", {}).items()
    }
    blocks = {}
    for name, inner in entry.get("blocks", {}).items():
        least, most = facts.sizes.get(f"{path}{name}", (0, 0))
        blocks[name] = Nested(
            read_block(inner, facts, f"{path}{name}."),
            inner["nesting"],
            inner.get("min", 0) or least,
            inner.get("max", 0) or most,
            f"{path}{name}" in facts.computed,
        )
    return Block(attributes, blocks)


def as_messages(types: Mapping[str, Type]) -> dict[str, pb.Schema]:
    """Return the types as protocol messages."""
    return {
        name: pb.Schema(version=type_.version, block=as_message(type_.block))
        for name, type_ in types.items()
    }


def as_message(block: Block) -> pb.Schema.Block:
    """Return a block as a protocol message."""
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(attribute.type).encode(),
                required=attribute.required,
                optional=attribute.optional,
                computed=attribute.computed,
                deprecated=attribute.deprecated,
            )
            for name, attribute in block.attributes.items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=as_message(nested.block),
                nesting=NESTING[nested.nesting],
                min_items=nested.least,
                max_items=nested.most,
            )
            for name, nested in block.blocks.items()
        ],
    )
