"""Validate a configuration as the real provider does before planning."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tf.types import Unknown

from emulated_aws.facts import Facts, facts_of
from emulated_aws.named_checks import Check
from emulated_aws.resources.base import Refused, Resource, State, Steps, first
from emulated_aws.schema import Type
from emulated_aws.terraform_values import contains_unknown
from emulated_aws.validation import problem_with


def refusals(type_: Type, resource: Resource | None, config: State) -> Iterator[Refused]:
    """Yield what the real provider would refuse in a resource, or in a data source if None."""
    facts = facts_of(type_.name if resource else f"data.{type_.name}")
    if type_.sdk:
        config = {name: unless_unknown(value) for name, value in config.items()}
    for path, check in (*checks_of(facts), *(resource.checks if resource else {}).items()):
        for steps, value in known_values(config, path.split(".")):
            if problem := check(value):
                yield Refused(f"Invalid value for {path}", f"{path}: {problem}", steps)
    for rule, path, others in facts.together:
        if problem := combination(rule, config, path, others):
            yield Refused("Invalid combination of arguments", problem, (path.partition(".")[0],))
    more = resource.validate(config) if resource and resource.validate else ()
    for path, problem in more:
        yield Refused("Invalid combination of arguments", f"{path}: {problem}", (path,))


def unless_unknown(value: Any) -> Any:
    """Return a value; a list with any unknown part is unknown as a whole.

    The older SDK validates none of its blocks then, and waits until all of them are known
    (`validateList` in its helper/schema/schema.go).
    """
    return Unknown if isinstance(value, list) and contains_unknown(value) else value


def checks_of(facts: Facts) -> Iterator[tuple[str, Check]]:
    """Yield the provider's checks of values, by path."""
    for path, forms in facts.checks.items():
        for form in forms:
            yield path, partial(problem_with, form=form)
    for path in facts.whole:
        yield path, partial(problem_with, form=("whole",))
    for path, (least, most) in facts.sizes.items():
        yield path, partial(problem_with, form=("size", least, most))


def combination(rule: str, config: State, path: str, others: Sequence[str]) -> str:
    """Return the error for arguments that exclude or require each other, if any."""
    inside = path.split(".")[:-1]
    if inside and at_path(config, inside) in (None, []):
        return ""
    paths = sorted({path, *others})
    values = {other: at_path(config, other.split(".")) for other in paths}
    given = [other for other, value in values.items() if value not in (None, [])]
    known = [other for other in given if not contains_unknown(values[other])]
    expected = ", ".join(paths)
    if rule == "conflicts" and path in known and len(known) > 1:
        return f"{path}: conflicts with {', '.join(other for other in known if other != path)}"
    if rule == "required_with" and path in known and len(given) < len(paths):
        return f"{path}: all of {expected} must be specified"
    if rule == "exactly_one" and path == paths[0] and (not given or len(known) > 1):
        return f"exactly one of {expected} must be specified"
    if rule == "at_least_one" and path == paths[0] and not given:
        return f"one of {expected} must be specified"
    return ""


def at_path(config: Any, names: Sequence[str]) -> Any:
    """Return the value at a dotted path, through the first of nested blocks."""
    for name in names:
        if isinstance(config, list):
            config = first(config)
        if contains_unknown(config) and not isinstance(config, dict):
            return config
        config = config.get(name) if isinstance(config, dict) else None
    return config


def known_values(config: Any, names: list[str], steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield the known values at a dotted path, through lists of blocks, each with its full path."""
    if isinstance(config, list) and names:
        for index, item in enumerate(config):
            yield from known_values(item, names, (*steps, index))
    elif isinstance(config, dict) and names:
        yield from known_values(config.get(names[0]), names[1:], (*steps, names[0]))
    elif not names and config is not None and not contains_unknown(config):
        yield steps, config
