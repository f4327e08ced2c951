"""What IAM's JSON policies allow, as far as the rules ask."""

import json
from collections.abc import Iterator
from typing import Any


def statements(document: str | None) -> Iterator[dict[str, Any]]:
    """Yield the allowing statements of a JSON policy; there are none without one."""
    for statement in listed(json.loads(document)["Statement"]) if document else ():
        if statement["Effect"] == "Allow":
            yield statement


def listed(value: Any) -> list[Any]:
    """Return a list for a list, a single value or nothing: IAM and HCL write all three."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _everybody(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS")))


def closed(document: str | None) -> bool:
    """Everybody is allowed nothing, unless a condition narrows it."""
    return not any(
        (_everybody(one.get("Principal")) or "NotPrincipal" in one) and not one.get("Condition")
        for one in statements(document)
    )


def trusts_the_named(document: str | None) -> bool:
    """Nobody assumes the role who is not named: no wildcard, and of GitHub only exact subjects."""
    for one in statements(document):
        if _everybody(one.get("Principal")) or "NotPrincipal" in one:
            return False
        if listed((one.get("Principal") or {}).get("Federated")):
            exact = one.get("Condition", {}).get("StringEquals", {})
            subjects = [listed(value) for key, value in exact.items() if key.endswith(":sub")]
            if not subjects or any("*" in subject for subject in subjects[0]):
                return False
    return True


def names_something(document: str | None) -> bool:
    """No statement allows every action on every resource."""
    return not any(
        ("*" in listed(one.get("Action")) or "NotAction" in one)
        and ("*" in listed(one.get("Resource")) or "NotResource" in one)
        for one in statements(document)
    )
