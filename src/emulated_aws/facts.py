"""What the real provider knows about each attribute beyond its schema: `aws_facts.json`.

`tools/provider_facts.py` extracts that file from the provider's source. What no tool can extract
(functions that customize a plan, for example) is in the tables of `emulated_aws.resources`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Form = Sequence[Any]


@dataclass(frozen=True)
class Facts:
    """The facts about one type, by dotted path without indexes.

    A change of `immutable` paths replaces the resource; `defaults` apply where the configuration
    sets nothing; `checks` validate values; `whole` numbers have no fraction. `together` holds
    (rule, path, other paths) of arguments that exclude or require each other. `recorded` attributes
    are written into the state on read, empty or not; `normal` says how a JSON document is
    normalized for the state.
    """

    version: int
    immutable: frozenset[str]
    computed: frozenset[str]
    kept: frozenset[str]
    defaults: Mapping[str, Any]
    checks: Mapping[str, Sequence[Form]]
    whole: frozenset[str]
    sizes: Mapping[str, tuple[int, int]]
    together: Sequence[tuple[str, str, Sequence[str]]]
    deprecated: Mapping[str, str]
    recorded: frozenset[str]
    normal: Mapping[str, str]


RULES = ("at_least_one", "conflicts", "exactly_one", "required_with")


@cache
def origin() -> str:
    """Return the name and version of the provider that the facts come from."""
    return str(content()["origin"])


@cache
def content() -> dict[str, Any]:
    """Return the content of the file."""
    text = resources.files("emulated_aws").joinpath("aws_facts.json").read_text()
    result: dict[str, Any] = json.loads(text)
    return result


@cache
def facts_of(name: str) -> Facts:
    """Return the facts of a resource type, or of a data source as `data.NAME`."""
    return read_facts(content()["types"].get(name, {}))


def read_facts(entry: Mapping[str, Any]) -> Facts:
    """Return the facts of one entry of the file."""
    attributes: dict[str, dict[str, Any]] = entry.get("attributes", {})

    def paths(fact: str) -> frozenset[str]:
        return frozenset(path for path, facts in attributes.items() if facts.get(fact))

    return Facts(
        version=entry.get("version", 0),
        immutable=paths("replace"),
        computed=paths("computed"),
        kept=paths("keep"),
        defaults={
            path: facts["default"] for path, facts in attributes.items() if "default" in facts
        },
        checks={path: facts["checks"] for path, facts in attributes.items() if "checks" in facts},
        whole=paths("whole"),
        sizes={
            path: (facts.get("min", 0), facts.get("max", 0))
            for path, facts in attributes.items()
            if "min" in facts or "max" in facts
        },
        together=[
            (rule, path, facts[rule])
            for path, facts in attributes.items()
            for rule in RULES
            if rule in facts
        ],
        deprecated={
            path: facts["deprecated"] for path, facts in attributes.items() if "deprecated" in facts
        },
        recorded=frozenset(entry.get("recorded", ())),
        normal={path: facts["normal"] for path, facts in attributes.items() if "normal" in facts},
    )


NOTHING = read_facts({})
