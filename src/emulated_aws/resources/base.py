"""The parts of a resource type, and helpers that keep each type to a few lines."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import Shape

from emulated_aws.account import Account
from emulated_aws.named_checks import Check
from emulated_aws.schema import Block

# Arguments that only steer the provider itself, whatever the type: no API ever shows them.
STEERING = frozenset(
    {
        "bootstrap_cluster_creator_admin_permissions",
        "bootstrap_self_managed_addons",
        "bypass_policy_lockout_safety_check",
        "confirmation_timeout_in_minutes",
        "delay_after_policy_creation_in_ms",
        "deletion_window_in_days",
        "endpoint_auto_confirms",
        "force_delete",
        "force_destroy",
        "force_detach_policies",
        "force_update_version",
        "preserve",
        "resolve_conflicts_on_create",
        "resolve_conflicts_on_update",
        "revoke_rules_on_delete",
        "skip_destroy",
        "update_default_version",
    }
)

State = dict[str, Any]
Steps = tuple[str | int, ...]
# Each type sets its tags itself: a map in the state, a list of pairs in most APIs.
TAGS = frozenset({"tags", "resourcetags"})


class Refused(Exception):
    """An error for Terraform to show: summary, detail, and the attribute it is about."""

    def __init__(self, summary: str, detail: str = "", steps: Steps = ()) -> None:
        super().__init__(summary)
        self.summary, self.detail, self.steps = summary, detail, steps


def not_emulated(what: str) -> Refused:
    """Return the error for a type or attribute that only the real provider has."""
    return Refused(
        f"The rehearsal does not emulate {what}",
        "AWS has it: nothing is wrong with the configuration. Leave it out to rehearse the rest, "
        "or plan with the real provider on AWS. The README of emulated_aws says how to add a type.",
    )


class Api:
    """The emulated AWS as a resource uses it: calls in its region, and ARNs."""

    partition = "aws"
    dns_suffix = "amazonaws.com"

    def __init__(
        self, account: Account, clients: Callable[[str, str], Any], region: str, block: Block
    ) -> None:
        self._clients, self.region, self.block = clients, region, block
        self.account_id = account.account_id

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the boto3 client of a service in the resource's region."""
        return self._clients(service, region or self.region)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation, leaving out parameters that are None."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return getattr(self.client(service), operation)(**given)  # type: ignore[no-any-return]

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """Return an ARN of this account."""
        region = self.region if regional else ""
        return f"arn:{self.partition}:{service}:{region}:{self.account_id}:{resource}"

    def parameters(
        self, service: str, operation: str, state: State, **names: str
    ) -> dict[str, Any]:
        """Return the parameters of an operation from the state's attributes.

        A parameter belongs to the attribute with its name in snake case; `names` gives exceptions
        (attribute=Parameter). Empty values are left out, as the real provider does.
        """
        client = self.client(service)
        shape = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        )
        renamed = {parameter: attribute for attribute, parameter in names.items()}
        return to_api(shape.input_shape, state, renamed)

    def attributes(self, found: Mapping[str, Any], **names: str) -> State:
        """Return the attributes of an API response, by the same rule, and its tags."""
        result = from_api(self.block, found, {parameter: name for name, parameter in names.items()})
        if "tags_all" in self.block.attributes and ("Tags" in found or "TagList" in found):
            result["tags_all"] = tags_as_map(found.get("Tags", found.get("TagList")))
        return result


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource type: its calls of the API, and what the real provider decides when planning.

    `create` creates the resource and returns its id, or the attributes (with `id`) known then.
    `settle` updates settings from the old state to the new one, also after `create` (from nothing).
    `read` returns the attributes that the API shows, or None if the resource is gone. `immutable`
    holds dotted paths whose change forces a replacement, `defaults` values for arguments that are
    not set, `documents` the attributes that hold JSON policies, `checks` the validation. `plan` may
    change a planned state further, and returns further attributes that force a replacement.
    `imported` returns the state to read by from an import's id, where that is not the state's own.
    """

    create: Callable[[Api, State], str | State]
    read: Callable[[Api, State], State | None]
    delete: Callable[[Api, State], object]
    settle: Callable[[Api, State, State], object] | None = None
    retag: Callable[[Api, State, dict[str, str], list[str]], object] | None = None
    plan: Callable[[Api, State | None, State], frozenset[str] | None] | None = None
    validate: Callable[[State], Iterable[tuple[str, str]]] | None = None
    immutable: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    documents: frozenset[str] = frozenset()
    imported: Callable[[Api, str], State] | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSource:
    """One data source type: its result for a configuration."""

    read: Callable[[Api, State], State]


def to_api(shape: Shape, state: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of an API structure that `state` has values for."""
    result = {}
    for member, inner in shape.members.items():
        value = state.get(renamed.get(member, xform_name(member)))
        if value is None or value == "" or value == [] or member.lower() in TAGS:
            continue
        result[member] = api_value(inner, value)
    return result


def api_value(shape: Shape, value: Any) -> Any:
    """Return one value in the API's form, where a block of at most one is a structure."""
    if shape.type_name == "structure":
        return to_api(shape, value[0] if isinstance(value, list) else value, {})
    if shape.type_name == "list":
        return [api_value(shape.member, item) for item in value]
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name == "boolean":
        return value in (True, "true")  # some are strings in the schema, so that they can be unset
    return value


def from_api(block: Block, found: Mapping[str, Any], renamed: Mapping[str, str]) -> State:
    """Return the attributes and nested blocks of a block from an API structure."""
    result: State = {}
    for member, value in found.items():
        name = renamed.get(member, xform_name(member))
        if name in block.blocks:
            items = value if isinstance(value, list) else [value]
            result[name] = [from_api(block.blocks[name].block, item, {}) for item in items]
        elif name in block.attributes and name not in ("tags", "tags_all"):
            result[name] = value
    return result


def tags_as_map(tags: Any) -> dict[str, str]:
    """Return tags as a map, without those that AWS sets."""
    pairs = (
        tags.items()
        if isinstance(tags, dict)
        else ((tag["Key"], tag["Value"]) for tag in tags or ())
    )
    return {key: value for key, value in pairs if not key.startswith("aws:")}


def tags_as_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return tags as the list of pairs that most APIs use."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


Retag = Callable[[Api, State, dict[str, str], list[str]], object]


def retagging(
    service: str,
    whose: str,
    attribute: str = "arn",
    *,
    tag: str = "tag_resource",
    untag: str = "untag_resource",
    tags: str = "Tags",
    keys: str = "TagKeys",
    form: Callable[[dict[str, str]], Any] = tags_as_list,
) -> Retag:
    """Return a function that sets and removes tags by a service's two calls.

    `whose` is the parameter that names the resource, `attribute` the one that holds its value.
    """

    def retag(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
        if removed:
            api.call(service, untag, **{whose: state[attribute], keys: removed})
        if given:
            api.call(service, tag, **{whose: state[attribute], tags: form(given)})

    return retag


def given_name(new: State) -> str:
    """Return the configured name, or a unique one with the configured prefix."""
    return str(new.get("name") or unique_name(new.get("name_prefix") or "terraform-"))


def moment(at: datetime | None = None) -> str:
    """Return a time (by default now) as the real provider writes it: RFC 3339 in UTC."""
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exactly_one(config: State, *names: str) -> Iterator[tuple[str, str]]:
    """Refuse a configuration that sets none or several of the attributes."""
    if sum(config.get(name) is not None for name in names) != 1:
        yield names[0], f"exactly one of {', '.join(names)} must be given"


def as_json(value: Any) -> str:
    """Return a JSON document as the real provider writes it: sorted and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_policy(value: Any) -> str:
    """Return a policy document in the provider's older form, which has the version first."""
    if not isinstance(value, dict) or "Version" not in value:
        return as_json(value)
    rest = as_json({key: inner for key, inner in value.items() if key != "Version"})
    version = as_json({"Version": value["Version"]})
    return version if rest == "{}" else f"{version[:-1]},{rest[1:]}"


def changed(old: State, new: State, *names: str) -> bool:
    """Return whether any of the named attributes differs."""
    return any(old.get(name) != new.get(name) for name in names)


def is_gone(error: ClientError) -> bool:
    """Return whether the API's error says that the resource does not exist."""
    code = error.response["Error"]["Code"]
    return bool(re.search(r"NotFound|NoSuch|NonExistent|DoesNotExist|^404$", code))


def unique_name(prefix: str) -> str:
    """Return a unique name, made from the time as in the real provider."""
    return f"{prefix}{datetime.now(UTC):%Y%m%d%H%M%S%f}"


def first(items: Iterable[Any]) -> Any:
    """Return the first item, or None."""
    return next(iter(items), None)
