"""The rules on the HCL itself, as one table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pangeo_deploy.terraform.iam import listed
from pangeo_deploy.terraform.inventory import Inventory

BUCKET_COMPANIONS = (
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
)


@dataclass(frozen=True)
class Code:
    """The HCL of a root module and its modules: the inventory, and every (file, kind, block)."""

    inventory: Inventory
    blocks: tuple[tuple[str, str, Mapping[str, Any]], ...]


@dataclass(frozen=True)
class CodeRule:
    """What the HCL must be; `breaks` yields where it is not."""

    id: str
    breaks: Callable[[Code], Iterator[str]]
    why: str
    fix: str


def _lonely_buckets(code: Code) -> Iterator[str]:
    types = {one.address: one.type for one in code.inventory.resources}
    for bucket in (address for address, type_ in types.items() if type_ == "aws_s3_bucket"):
        present = {types[one] for one, other in code.inventory.references if other == bucket}
        yield from (f"{bucket}: {one}" for one in BUCKET_COMPANIONS if one not in present)


def _labelled(code: Code, *kinds: str) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield (file, type, name, body) of resources or data sources."""
    for file, kind, block in code.blocks:
        if kind in kinds:
            for type_, named in block.items():
                yield from ((file, type_, name, body) for name, body in named.items())


def _long_lived(code: Code) -> Iterator[str]:
    words = ("access_key", "aws_iam_user", "aws_iam_group", "login_profile")
    for file, type_, name, _ in _labelled(code, "resource"):
        if any(word in type_ for word in words):
            yield f"{file}: {type_}.{name}"


def _unbounded(code: Code) -> Iterator[str]:
    for file, type_, name, body in _labelled(code, "resource"):
        inside = file.startswith("modules/")
        if inside and type_ == "aws_iam_role" and "permissions_boundary" not in body:
            yield f"{file}: {type_}.{name}"


def _star(value: Any) -> bool:
    """Tell whether a list, or an expression that makes one, holds `*` alone."""
    return '"*"' in value if isinstance(value, str) else "*" in listed(value)


def _anything(code: Code) -> Iterator[str]:
    for file, type_, name, body in _labelled(code, "data"):
        for statement in (
            listed(body.get("statement")) if type_ == "aws_iam_policy_document" else ()
        ):
            allows = statement.get("effect", "Allow") == "Allow"
            if allows and _star(statement.get("actions")) and _star(statement.get("resources")):
                yield f"{file}: data.{type_}.{name}"


def _foreign_modules(code: Code) -> Iterator[str]:
    for file, kind, block in code.blocks:
        for name, body in block.items() if kind == "module" else ():
            if not str(body.get("source", "")).startswith("./"):
                yield f"{file}: module.{name}"


def _undescribed(code: Code) -> Iterator[str]:
    for file, kind, block in code.blocks:
        needed = {"variable": ("description", "type"), "output": ("description",)}.get(kind, ())
        for name, body in block.items() if needed else ():
            yield from (f"{file}: {kind}.{name}: {one}" for one in needed if one not in body)


CODE_RULES: tuple[CodeRule, ...] = (
    CodeRule(
        "bucket-complete",
        _lonely_buckets,
        "A bucket alone is neither closed nor encrypted by rule, and never empties.",
        "Add the resource it lacks.",
    ),
    CodeRule(
        "no-long-lived-keys",
        _long_lived,
        "A key that lives for years leaks in one of them.",
        "Give a role to whoever needs it, through OIDC or pod identity.",
    ),
    CodeRule(
        "roles-bounded",
        _unbounded,
        "A role without a boundary can be given more than the role that made it has.",
        "Set permissions_boundary = var.permissions_boundary.",
    ),
    CodeRule(
        "no-anything-anywhere",
        _anything,
        "Whoever has the policy could do anything.",
        "Name the actions, or the resources.",
    ),
    CodeRule(
        "own-modules",
        _foreign_modules,
        "Code from elsewhere changes without a review here, and no registry is at hand everywhere.",
        "Write a small module of our own.",
    ),
    CodeRule(
        "described", _undescribed, "Whoever sets or reads it has to guess.", "Say what it is."
    ),
)
