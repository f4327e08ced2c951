"""IAM's own evaluation, as far as our policies use it: may a role do this to that?

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an
explicit deny wins; else the role's policies and its boundary must both allow.
"""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

ISSUER = "token.actions.githubusercontent.com"
Context = Mapping[str, str]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def like(value: str, pattern: str) -> bool:
    """Compare as StringLike and ARNs do: * and ? are wildcards, and nothing else is."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Tell whether all conditions hold. A key that is not there fails, but for a negated test."""
    return all(
        _test(test, context.get(key), listed(values))
        for test, keys in conditions.items()
        for key, values in keys.items()
    )


def _test(test: str, value: str | None, values: list[str]) -> bool:
    if test == "StringEquals":
        return value in values
    if test == "StringNotEquals":
        return value not in values
    if test == "StringLike":
        return value is not None and any(like(value, each) for each in values)
    raise AssertionError(f"a condition that this evaluation does not know: {test}")


def matches(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    def among(key: str, value: str) -> bool:
        return any(like(value, each) for each in listed(statement[key]))

    acts = (
        not any(like(action.lower(), each.lower()) for each in listed(statement["NotAction"]))
        if "NotAction" in statement
        else any(like(action.lower(), each.lower()) for each in listed(statement["Action"]))
    )
    on = (
        not among("NotResource", resource)
        if "NotResource" in statement
        else among("Resource", resource)
    )
    return acts and on and holds(statement.get("Condition", {}), context)


def effects(document: str, action: str, resource: str, context: Context) -> set[str]:
    return {
        statement["Effect"]
        for statement in listed(json.loads(document)["Statement"])
        if matches(statement, action, resource, context)
    }


def allowed(
    policies: Iterable[str], boundary: str, action: str, resource: str, context: Context
) -> bool:
    """Tell whether a role with these policies and this boundary may do an action."""
    own = set().union(*(effects(each, action, resource, context) for each in policies))
    bound = effects(boundary, action, resource, context) if boundary else {"Allow"}
    return "Allow" in own and "Allow" in bound and "Deny" not in own | bound


def trusted(policy: str, claims: Mapping[str, str]) -> bool:
    """Evaluate a trust policy as STS does for AssumeRoleWithWebIdentity of GitHub's provider."""
    context = {f"{ISSUER}:{name}": value for name, value in claims.items()}
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        and statement["Principal"]["Federated"].endswith(f":oidc-provider/{ISSUER}")
        and holds(statement.get("Condition", {}), context)
        for statement in listed(json.loads(policy)["Statement"])
    )
