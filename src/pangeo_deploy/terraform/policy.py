"""Check the rules that every deployment keeps: on plans and states, and on the code itself.

The rules are tables: `plan_rules` and `code_rules`. A plan does not know yet what AWS will answer:
a policy that names a new resource is judged in the state after the apply, and its statements in the
code before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pangeo_core.terraform_json import everything
from pangeo_deploy.terraform.code_rules import CODE_RULES, Code
from pangeo_deploy.terraform.inventory import blocks, read
from pangeo_deploy.terraform.plan_rules import RULES


@dataclass(frozen=True)
class Finding:
    """Something that breaks a rule: which rule, where, why it matters, what to do."""

    rule: str
    address: str
    why: str
    fix: str


def check(shown: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what breaks a rule in `terraform show -json` of a plan or of a state."""
    return tuple(
        Finding(rule.id, resource.address, rule.why, rule.fix)
        for resource in everything(shown)
        for rule in RULES
        if resource.mode == "managed"
        and fnmatch(resource.type, rule.type)
        and (found := _at(resource.values, rule.path.split("."))) is not _UNKNOWN
        and not rule.holds(found)
    )


def check_code(root: Path) -> tuple[Finding, ...]:
    """Return what breaks a rule in the root module `root` and the modules under it."""
    files = [*sorted(root.glob("*.tf")), *sorted(root.glob("modules/**/*.tf"))]
    found = [
        (file.relative_to(root).as_posix(), kind, block)
        for file in files
        for kind, block in blocks(file)
    ]
    code = Code(read(root, taggable=(), kept=()), tuple(found))
    return tuple(
        Finding(rule.id, address, rule.why, rule.fix)
        for rule in CODE_RULES
        for address in rule.breaks(code)
    )


_UNKNOWN = object()


def _at(value: Any, path: list[str]) -> Any:
    """Return the value at `path`; a key that is missing is one that Terraform does not know yet."""
    for name in path:
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return None
        if name not in value:
            return _UNKNOWN
        value = value[name]
    return value
