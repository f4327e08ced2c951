"""What a plan changes inside a resource or an output: every attribute, before and after."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
LONGEST = 120  # characters of a value on one line


@dataclass(frozen=True)
class AttributeChange:
    """One value: its path, before and after; `replaces` if it is why the resource is replaced."""

    attribute: str
    before: Any
    after: Any
    replaces: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of it."""
        return asdict(self)


def changed(change: Mapping[str, Any]) -> tuple[AttributeChange, ...]:
    """Return what the `change` of `terraform show -json` changes, down to single values.

    JSON documents such as policies are looked into. Sensitive values are masked.
    """
    reasons = {str(path[0]) for path in change.get("replace_paths", ()) if path}
    found = _differences(
        change.get("before"),
        change.get("after"),
        change.get("after_unknown") or False,
        (change.get("before_sensitive") or False, change.get("after_sensitive") or False),
        "",
    )
    return tuple(
        AttributeChange(path, before, after, path.split(".")[0].split("[")[0] in reasons)
        for path, before, after in found
    )


def compact(value: object) -> str:
    """Return a value on one line, a JSON document too, cut where it is long."""
    if isinstance(value, str) and value[:1] in "[{" and value:
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _differences(
    before: Any, after: Any, unknown: Any, sensitive: tuple[Any, Any], path: str
) -> Iterator[tuple[str, Any, Any]]:
    if True in sensitive:
        if before != after or unknown is True:
            yield path, SENSITIVE, SENSITIVE
    elif unknown is True:
        yield path, before, UNKNOWN
    elif before == after and not unknown:
        return
    elif pair := _both(before, after, dict):
        for key in sorted(pair[0].keys() | pair[1].keys() | _keys(unknown)):
            inside = (_at(sensitive[0], key), _at(sensitive[1], key))
            yield from _differences(
                pair[0].get(key),
                pair[1].get(key),
                _at(unknown, key),
                inside,
                f"{path}.{key}" if path else str(key),
            )
    elif (pair := _both(before, after, list)) and len(pair[0]) == len(pair[1]):
        for number, (one, other) in enumerate(zip(*pair, strict=True)):
            inside = (_at(sensitive[0], number), _at(sensitive[1], number))
            yield from _differences(one, other, _at(unknown, number), inside, f"{path}[{number}]")
    elif pair := _documents(before, after):
        yield from _differences(*pair, False, (False, False), path)
    elif before != after:
        # What is sensitive somewhere inside a value that is shown whole is not shown at all.
        yield path, _shown(before, sensitive[0]), _shown(after, sensitive[1])


def _shown(value: Any, marks: Any) -> Any:
    return SENSITIVE if _any_true(marks) else value


def _any_true(marks: Any) -> bool:
    if isinstance(marks, Mapping):
        return any(map(_any_true, marks.values()))
    return any(map(_any_true, marks)) if isinstance(marks, list) else bool(marks)


def _both(before: Any, after: Any, kind: type[Any]) -> tuple[Any, Any] | None:
    return (before, after) if isinstance(before, kind) and isinstance(after, kind) else None


def _documents(before: Any, after: Any) -> tuple[Any, Any] | None:
    """Return two JSON documents parsed, None where one of them is none."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return None
    if before[:1] not in "[{" or after[:1] not in "[{" or not (before and after):
        return None
    try:
        pair = json.loads(before), json.loads(after)
    except ValueError:
        return None
    return pair if pair[0] != pair[1] else None


def _keys(marks: Any) -> set[Any]:
    return set(marks) if isinstance(marks, Mapping) else set()


def _at(marks: Any, key: Any) -> Any:
    """Return the marks of what is at `key`: a mark on the whole marks every part."""
    if isinstance(marks, Mapping):
        return marks.get(key, False)
    if isinstance(marks, list):
        return marks[key] if isinstance(key, int) and key < len(marks) else False
    return marks
