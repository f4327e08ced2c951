"""Validation functions of the provider, translated by hand because no tool can.

`BY_HAND` maps the names that `tools/provider_facts` gives them.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

Problem = str | None
Check = Callable[[Any], Problem]
UNICODE = {"L": r"\w", "N": r"\w", "Z": r"\s", "M": r"\w", "S": r"\W", "P": r"\W"}


def invalid(value: Any, words: str) -> str:
    """Return the message that a value is not valid, and why."""
    return f'invalid value "{value}" ({words})'


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a Go regular expression; Python's Unicode classes are as wide or wider."""
    ends = re.sub(r"(?<!\\)\\z|(?<![\\\[])\$(?=$|\))", r"\\Z", pattern)
    flags = re.UNICODE if r"\p{" in pattern else re.ASCII
    return re.compile(re.sub(r"\\p\{(\w)\w*\}", lambda found: UNICODE[found[1]], ends), flags)


def cidr(value: Any) -> Problem:
    """Refuse a value that is not a network in CIDR notation without host bits."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return f'"{value}" is not a valid CIDR block: {error}'
    return None if "/" in value else f'"{value}" is not a valid CIDR block'


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
    """Refuse a value that is not an ARN."""
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
    """Refuse a value that is not an IAM policy document: a JSON object without repeated keys."""
    try:
        if not isinstance(json.loads(value), dict):
            return "contains an invalid JSON policy: not a JSON object"
        why = repeated_key(value)
    except ValueError as error:
        return f"contains an invalid JSON policy: {error}"
    return f"contains an invalid JSON policy: {why}" if why else None


def is_json(value: Any) -> Problem:
    """Refuse a value that is not JSON."""
    try:
        json.loads(value)
    except ValueError as error:
        return f"contains an invalid JSON: {error}"
    return None


def at(layout: str) -> Check:
    """Return a check for timestamps in one layout."""

    def check(value: Any) -> Problem:
        try:
            datetime.strptime(value, layout)
        except ValueError as error:
            return f"cannot be parsed: {error}"
        return None

    return check


def rfc3339(value: Any) -> Problem:
    """Refuse a value that is not an RFC 3339 timestamp."""
    ok = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    return None if ok else f'"{value}" is not a valid RFC3339 date'


def https(value: Any) -> Problem:
    """Refuse a value that is not an HTTPS URL."""
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
    "validation.IsPortNumberOrZero": lambda value: (
        None if 0 <= value <= 65535 else f"expected a port number or 0, got {value}"
    ),
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
