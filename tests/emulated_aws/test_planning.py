"""The planning of the stand-in, on every type of the real schema and on values of any shape."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import ExtType
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

from emulated_aws import json_documents, resource_lifecycle, schema
from emulated_aws.planning import plan_block
from emulated_aws.resources import DATA_SOURCES, RESOURCES
from emulated_aws.schema import Block, Type
from emulated_aws.terraform_values import (
    conform_block,
    contains_unknown,
    is_unknown,
    zeros_within,
)
from tests.conftest import PROJECT

TYPES = schema.load().resources
WORDS = st.sampled_from(["", "a", "b", "10.0.0.0/16", '{"a": 1}'])
NUMBERS = st.one_of(st.integers(0, 3), st.just(0.5))


def values_of(type_: Any) -> st.SearchStrategy[Any]:
    """Return values that a configuration may give an attribute of this type."""
    if isinstance(type_, str):
        return {"string": WORDS, "number": NUMBERS, "bool": st.booleans()}[type_]
    kind, inner = type_
    if kind == "object":
        return st.fixed_dictionaries(
            {name: st.none() | values_of(of) for name, of in inner.items()}
        )
    if kind == "map":
        return st.dictionaries(st.sampled_from(["k", "l"]), values_of(inner), max_size=2)
    return st.lists(values_of(inner), max_size=2)


def configurations(block: Block) -> st.SearchStrategy[dict[str, Any]]:
    """Return configurations of a block, every attribute and nested block there."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, attribute in block.attributes.items():
        settable = attribute.required or attribute.optional
        given = values_of(attribute.type) if settable else st.none()
        fields[name] = given if attribute.required else st.none() | given
    for name, nested in block.blocks.items():
        inner = configurations(nested.block)
        # Which of a set's elements continues which prior one is Terraform's guess, not ours.
        most = 1 if nested.nesting == "set" else min(nested.most or 2, 2)
        many = st.lists(inner, min_size=nested.least, max_size=most)
        fields[name] = st.none() | inner if nested.nesting == "single" else many
    return st.fixed_dictionaries(fields).map(lambda value: conform_block(block, value))


@st.composite
def configured(draw: st.DrawFn) -> tuple[Type, dict[str, Any]]:
    type_ = TYPES[draw(st.sampled_from(sorted(TYPES)))]
    return type_, draw(configurations(type_.block))


def applied(block: Block, planned: Any) -> Any:
    """Return a planned value with something in place of each unknown, as an apply would."""
    result = {}
    for name, attribute in block.attributes.items():
        value = planned[name]
        result[name] = example(attribute.type) if is_unknown(value) else value
    for name, nested in block.blocks.items():
        value = planned[name]
        if isinstance(value, list):
            value = [applied(nested.block, item) for item in value]
        result[name] = [] if is_unknown(value) else value
    return conform_block(block, result)


def example(type_: Any) -> Any:
    if isinstance(type_, str):
        return {"string": "told", "number": 7, "bool": True}[type_]
    return {"map": {}, "object": {}}.get(type_[0], [])


def merged(block: Block, config: Any, prior: Any) -> Any:
    """Return what Terraform proposes: the configuration, and the prior state where it is silent."""
    result = {}
    for name, attribute in block.attributes.items():
        kept = attribute.computed and config[name] is None
        result[name] = prior[name] if kept else config[name]
    for name, nested in block.blocks.items():
        items, before = config[name], prior[name]
        if nested.nesting == "list":
            items = [
                merged(nested.block, item, before[index]) if index < len(before) else item
                for index, item in enumerate(items)
            ]
        if nested.nesting == "set":
            items = [continued(item, before) for item in items]
        result[name] = items
    return result


def continued(item: Any, before: list[Any]) -> Any:
    """Return a set's element with what a prior one had that agrees on all that is configured."""

    def configured_alike(mine: Any, theirs: Any) -> bool:
        if isinstance(mine, dict):
            return all(configured_alike(mine[name], theirs[name]) for name in mine)
        if isinstance(mine, list) and mine:
            return len(mine) == len(theirs) and all(map(configured_alike, mine, theirs))
        return mine in (None, []) or mine == theirs

    return next((prior for prior in before if configured_alike(item, prior)), item)


@given(configured())
def test_a_new_thing_is_planned_with_what_is_known_and_nothing_null_that_aws_fills(
    given: tuple[Type, dict[str, Any]],
) -> None:
    type_, config = given
    planned = plan_block(type_, type_.block, config, None, {})
    for name, attribute in type_.block.attributes.items():
        if config[name] is not None:
            assert planned[name] == with_zeros(type_, attribute.type, config[name])
        else:
            assert is_unknown(planned[name]) == attribute.computed


def with_zeros(type_: Type, kind: Any, value: Any) -> Any:
    """Return a value as the older SDK plans it: objects, which are blocks there, have no nulls."""
    if not type_.sdk or not isinstance(value, list):
        return value
    return [zeros_within(kind[1], item) for item in value]


@settings(max_examples=200)
@given(configured())
def test_the_second_plan_is_empty(given: tuple[Type, dict[str, Any]]) -> None:
    type_, config = given
    resource = RESOURCES[type_.name]
    planned = plan_block(type_, type_.block, config, None, resource.defaults)
    state = applied(type_.block, planned)
    proposed = merged(type_.block, config, state)
    again = plan_block(type_, type_.block, proposed, state, resource.defaults)
    assert resource_lifecycle.differences(type_.block, state, again) == []


@given(configured())
def test_values_survive_the_protocol(given: tuple[Type, dict[str, Any]]) -> None:
    type_, config = given
    planned = plan_block(type_, type_.block, config, None, {})
    assert read_dynamic_value(to_dynamic_value(planned)) == planned


def test_what_is_partly_known_is_unknown_and_goes_back_as_it_came() -> None:
    refined = ExtType(12, b"\x82\x01\xc2\x02\xa6AFTER_")
    assert contains_unknown([{"a": refined}])
    assert read_dynamic_value(to_dynamic_value({"a": refined})) == {"a": refined}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": [1, 2]}', '{"a":[2,1]}', True),
        ('{"Action": "s3:*"}', '{"Action": ["s3:*"]}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"Statement": [{"a": 1}]}', '{"Statement": {"a": 1}}', True),
        ("not json", "not json", True),
        (None, "{}", False),
        (Unknown, "{}", False),
    ],
)
def test_policies_are_the_same_if_they_say_the_same(one: Any, other: Any, same: bool) -> None:
    assert json_documents.same_document(one, other) is same


def test_a_module_may_name_itself_to_the_provider() -> None:
    """Most public modules do, in a `provider_meta` block, and Terraform refused them all."""
    attributes = schema.load().message.provider_meta.block.attributes
    assert [(one.name, one.type, one.optional) for one in attributes] == [
        ("user_agent", b'["list", "string"]', True)
    ]


def test_schema_and_behaviour_cover_the_same_types() -> None:
    assert set(TYPES) == set(RESOURCES)
    assert set(schema.load().data_sources) == set(DATA_SOURCES)
    assert "hashicorp/aws 6.62.0" in schema.load().origin


@pytest.mark.parametrize("name", sorted(TYPES))
def test_behaviour_names_only_attributes_that_exist(name: str) -> None:
    resource = RESOURCES[name]
    for path in {*resource.immutable, *resource.defaults, *resource.checks, *resource.documents}:
        block = TYPES[name].block
        *outer, last = path.split(".")
        for part in outer:
            block = block.blocks[part].block
        assert last in block.attributes or last in block.blocks, path


def test_the_schema_holds_what_is_emulated_and_that_is_all_that_terraform_uses() -> None:
    text = "\n".join(path.read_text() for path in (PROJECT / "terraform").rglob("*.tf"))
    used = re.findall(r'^(resource|data)\s+"(aws_\w+)"', text, re.MULTILINE)
    known = schema.load()
    assert known.resources.keys() == RESOURCES.keys(), "run tools/provider_schema.py"
    assert known.data_sources.keys() == DATA_SOURCES.keys(), "run tools/provider_schema.py"
    assert {name for kind, name in used if kind == "resource"} <= RESOURCES.keys()
    assert {name for kind, name in used if kind == "data"} <= DATA_SOURCES.keys()
