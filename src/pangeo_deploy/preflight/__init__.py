"""Will what we deploy find all that it needs? Terraform's plan joined with the rendered charts."""

from pangeo_deploy.preflight.facts import Facts, NodeKind, gather
from pangeo_deploy.preflight.report import Finding, Preflight, preflight, require_own_names
from pangeo_deploy.preflight.rules import RULES

__all__ = [
    "RULES",
    "Facts",
    "Finding",
    "NodeKind",
    "Preflight",
    "gather",
    "preflight",
    "require_own_names",
]
