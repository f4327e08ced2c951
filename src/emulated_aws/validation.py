"""The values that the real provider refuses: its checks, as `aws_facts.json` has them.

A check is a list that begins with its name: `["between", 1, 64]`. Names with a dot are functions
in the provider's source, which no tool translates; they are written by hand in `BY_HAND`.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

Problem = str | None
UNICODE = {"L": r"\w", "N": r"\w", "Z": r"\s", "M": r"\w", "S": r"\W", "P": r"\W"}
Check = Callable[[Any], Problem]


def problem_with(value: Any, form: Sequence[Any]) -> Problem:
    """Return why a check refuses a value, None if it does not."""
    name, *arguments = form
    if name in BY_HAND:
        return BY_HAND[name](value)
    return CHECKS[name](value, *arguments) if name in CHECKS else None


def one_of(value: Any, *allowed: Any) -> Problem:
    """Refuse any other value."""
    expected = ", ".join(f'"{item}"' for item in allowed)
    return None if value in allowed else f'expected one of [{expected}], got "{value}"'


def between(value: Any, least: float, most: float) -> Problem:
    """Refuse numbers outside the range."""
    return (
        None
        if least <= float(value) <= most
        else f"expected to be in the range ({least} - {most}), got {value}"
    )


def at_least(value: Any, least: float) -> Problem:
    """Refuse smaller numbers."""
    return None if float(value) >= least else f"expected to be at least ({least}), got {value}"


def above(value: Any, limit: float) -> Problem:
    """Refuse numbers that are not greater."""
    return None if float(value) > limit else f"expected to be greater than ({limit}), got {value}"


def multiple_of(value: Any, divisor: int) -> Problem:
    """Refuse numbers that the divisor does not divide."""
    return None if value % divisor == 0 else f"expected to be divisible by {divisor}, got {value}"


def length(value: str, least: int, most: int) -> Problem:
    """Refuse texts outside a range of lengths."""
    if least <= len(value.encode()) <= most:
        return None
    return f"expected length to be in the range ({least} - {most}), got {value}"


def match(value: str, pattern: str, words: str = "") -> Problem:
    """Refuse texts that a regular expression does not match."""
    return None if compiled(pattern).search(value) else invalid(value, words or f"need {pattern}")


def no_match(value: str, pattern: str, words: str = "") -> Problem:
    """Refuse texts that a regular expression matches."""
    return (
        invalid(value, words or f"must not match {pattern}")
        if compiled(pattern).search(value)
        else None
    )


def invalid(value: Any, words: str) -> str:
    """Return that a value is not valid, and why."""
    return f'invalid value "{value}" ({words})'


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a regular expression of Go's: its classes of Unicode are wider or equal here."""
    ends = re.sub(r"(?<!\\)\\z|(?<![\\\[])\$(?=$|\))", r"\\Z", pattern)
    flags = re.UNICODE if r"\p{" in pattern else re.ASCII
    return re.compile(re.sub(r"\\p\{(\w)\w*\}", lambda found: UNICODE[found[1]], ends), flags)


def size_at_least(value: Sequence[Any], least: int) -> Problem:
    """Refuse shorter lists."""
    return None if len(value) >= least else f"requires {least} item minimum, got {len(value)}"


def size_at_most(value: Sequence[Any], most: int) -> Problem:
    """Refuse longer lists."""
    return None if len(value) <= most else f"at most {most} items are allowed, got {len(value)}"


def size(value: Any, least: int, most: int) -> Problem:
    """Refuse lists (of blocks or values) outside a range of lengths; 0 is no limit."""
    if not isinstance(value, list):
        return None
    if most and len(value) > most:
        return size_at_most(value, most)
    return size_at_least(value, least)


def whole(value: Any) -> Problem:
    """Refuse numbers with a fraction."""
    return None if float(value).is_integer() else f"a whole number is required, got {value}"


def every(value: Any, *forms: Sequence[Any]) -> Problem:
    """Refuse what any of the checks refuses."""
    return next((why for form in forms if (why := problem_with(value, form))), None)


def some(value: Any, *forms: Sequence[Any]) -> Problem:
    """Refuse what all of the checks refuse."""
    problems = [problem_with(value, form) for form in forms]
    return None if None in problems else "; ".join(str(one) for one in problems)


def each(value: Any, form: Sequence[Any]) -> Problem:
    """Refuse a list (or map) with an element that the check refuses."""
    items = value.values() if isinstance(value, Mapping) else value
    return next(
        (why for item in items if item is not None and (why := problem_with(item, form))), None
    )


def each_key(value: Mapping[str, Any], form: Sequence[Any]) -> Problem:
    """Refuse a map with a key that the check refuses."""
    return each(list(value), form)


def cidr(value: Any) -> Problem:
    """Refuse what is not a network in CIDR notation with no host bits set."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return f'"{value}" is not a valid CIDR block: {error}'
    return None if "/" in value else f'"{value}" is not a valid CIDR block'


def cidr_size(value: Any, least: int, most: int) -> Problem:
    """Refuse networks outside a range of sizes."""
    if why := cidr(value):
        return why
    bits = ipaddress.ip_network(value).prefixlen
    if least <= bits <= most:
        return None
    return f"expected {value} to contain a network with between {least} and {most} significant bits"


def of_version(number: int) -> Check:
    """Return a check for networks of one IP version."""

    def check(value: Any) -> Problem:
        if why := cidr(value):
            return why
        ok = ipaddress.ip_network(value).version == number
        return None if ok else f'"{value}" is not a valid IPv{number} CIDR block'

    return check


def address(number: int) -> Check:
    """Return a check for addresses of one IP version."""

    def check(value: Any) -> Problem:
        try:
            ok = ipaddress.ip_address(value).version == number
        except ValueError:
            ok = False
        return None if ok else f'"{value}" is not a valid IPv{number} address'

    return check


def arn(value: Any) -> Problem:
    """Refuse what is not an ARN."""
    ok = value == "" or re.fullmatch(
        r"arn:aws[\w-]*:[a-zA-Z0-9-]+:([a-z]{2,4}(-[a-z]+)+-\d{1,2})?:(\d{12}|aws|)?:.+", str(value)
    )
    return None if ok else f'"{value}" is an invalid ARN'


def repeated_key(text: str) -> Problem:
    """Refuse a JSON document in which an object has a key twice."""
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        twice.extend(name for name in names if names.count(name) > 1)
        return dict(items)

    json.loads(text, object_pairs_hook=pairs)
    return f'duplicate JSON keys: "{twice[0]}"' if twice else None


def policy(value: Any) -> Problem:
    """Refuse what is not a policy document of IAM's: a JSON object, no key twice."""
    try:
        if not isinstance(json.loads(value), dict):
            return "contains an invalid JSON policy: not a JSON object"
        why = repeated_key(value)
    except ValueError as error:
        return f"contains an invalid JSON policy: {error}"
    return f"contains an invalid JSON policy: {why}" if why else None


def is_json(value: Any) -> Problem:
    """Refuse what is not JSON."""
    try:
        json.loads(value)
    except ValueError as error:
        return f"contains an invalid JSON: {error}"
    return None


def at(layout: str) -> Check:
    """Return a check for points in time in one layout."""

    def check(value: Any) -> Problem:
        try:
            datetime.strptime(value, layout)
        except ValueError as error:
            return f"cannot be parsed: {error}"
        return None

    return check


def rfc3339(value: Any) -> Problem:
    """Refuse what is not a point in time in the form of RFC 3339."""
    ok = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    return None if ok else f'"{value}" is not a valid RFC3339 date'


def https(value: Any) -> Problem:
    """Refuse what is not an address reached over HTTPS."""
    parts = urlsplit(str(value))
    ok = parts.scheme == "https" and parts.netloc
    return None if ok else f'expected "{value}" to have a host and a url with schema of: "https"'


def named(pattern: str, least: int, most: int, words: str) -> Check:
    """Return a check for names of certain characters and lengths."""

    def check(value: Any) -> Problem:
        if len(value) < least:
            return f"cannot be less than {least} characters: {value}"
        if len(value) > most:
            return f"cannot be longer than {most} characters: {words}: {value}"
        return None if compiled(pattern).search(value) else f"{words}: {value}"

    return check


CHECKS: Mapping[str, Callable[..., Problem]] = {
    "above": above,
    "all": every,
    "any": some,
    "at_least": at_least,
    "between": between,
    "cidr_size": cidr_size,
    "each": each,
    "each_key": each_key,
    "length": length,
    "match": match,
    "multiple_of": multiple_of,
    "no_match": no_match,
    "one_of": one_of,
    "size": size,
    "size_at_least": size_at_least,
    "size_at_most": size_at_most,
    "whole": whole,
}

LOG_GROUP = r"^[0-9A-Za-z_./#-]+$"
EVENT_NAME = named(r"^[0-9A-Za-z_.-]+$", 1, 64, "only letters, digits and _.- are allowed")

# Functions in the source of hashicorp/aws, by the name that `tools/provider_facts` gives them.
BY_HAND: Mapping[str, Check] = {
    "budgets.validTimePeriodTimestamp": at("%Y-%m-%d_%H:%M"),
    "ec2.validSecurityGroupRuleDescription": named(
        r"^[0-9A-Za-z_ .:/()#,@\[\]+=&;{}!$*-]*$", 0, 255, "some characters are not allowed"
    ),
    "eks.validClusterName": named(
        r"^[0-9A-Za-z][0-9A-Za-z_-]*$",
        1,
        100,
        "is not 1 to 100 letters, digits, hyphens or underscores",
    ),
    "events.validateRuleName": EVENT_NAME,
    "events.validateTargetID": EVENT_NAME,
    "kms.validNameForResource": named(
        r"^alias/(?!aws/)[0-9A-Za-z_/-]+$",
        1,
        256,
        "must begin with alias/, and not with alias/aws/",
    ),
    "logs.validLogGroupName": named(LOG_GROUP, 1, 512, "isn't a valid log group name"),
    "logs.validLogGroupNamePrefix": named(LOG_GROUP, 1, 483, "isn't a valid log group name"),
    "nullable.ValidateTypeStringNullableBool": lambda value: (
        None
        if str(value).lower() in ("", "true", "false", "0", "1")
        else f"{value} is not a boolean"
    ),
    "s3.validBucketLifecycleTimestamp": at("%Y-%m-%d"),
    "types.arnType": arn,
    "types.iamPolicyType": policy,
    "types.timetypes.RFC3339Type": rfc3339,
    "validation.IsIPv4Address": address(4),
    "validation.IsIPv6Address": address(6),
    "validation.IsRFC3339Time": rfc3339,
    "validation.IsURLWithHTTPS": https,
    "validation.NoZeroValues": lambda value: None if value else f"must not be empty, got {value}",
    "validation.StringIsEmpty": lambda value: (
        None if value == "" else f"expected to be empty: {value}"
    ),
    "validation.StringIsJSON": is_json,
    "validation.StringIsNotEmpty": lambda value: None if value else "expected to not be empty",
    "validators.AWSAccountID": named(r"^\d{12}$", 12, 12, "is not an AWS account ID"),
    "validators.IPv4CIDRNetworkAddress": of_version(4),
    "validators.IPv6CIDRNetworkAddress": of_version(6),
    "verify.ValidARNCheck": arn,
    "verify.ValidCIDRNetworkAddress": cidr,
    "verify.ValidKMSKeyID": named("", 1, 2048, ""),
    "verify.ValidAccountID": named(r"^\d{12}$", 12, 12, "is not an AWS account ID"),
    "verify.ValidIAMPolicyJSON": policy,
    "verify.ValidIPv4CIDRNetworkAddress": of_version(4),
    "verify.ValidIPv6CIDRNetworkAddress": of_version(6),
    "verify.ValidLaunchTemplateID": named(
        r"^lt\-[0-9a-z]+$", 1, 255, "must begin with 'lt-' and only contain alphanumeric characters"
    ),
    "verify.ValidLaunchTemplateName": named(
        r"^[0-9A-Za-z()./_\-]+$", 3, 125, "only letters, digits and ()./_- are allowed"
    ),
}
