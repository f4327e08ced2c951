"""An AWS account and a stand-in for Terraform's AWS provider, on this machine.

Names are imported when they are first used: the hub's parts are processes of their own that need
neither, and would each load boto3 and moto at their start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulated_aws.account import Account
    from emulated_aws.account_server import open_account, serve_account
    from emulated_aws.limits import require_emulated
    from emulated_aws.provider_server import serve_provider
    from emulated_aws.resources import kept_types

__all__ = [
    "Account",
    "kept_types",
    "open_account",
    "require_emulated",
    "serve_account",
    "serve_provider",
]

_WHERE = {
    "Account": "account",
    "kept_types": "resources",
    "open_account": "account_server",
    "require_emulated": "limits",
    "serve_account": "account_server",
    "serve_provider": "provider_server",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
