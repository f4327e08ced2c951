"""The rehearsal: an AWS account and a stand-in for Terraform's AWS provider, on this machine."""

from pangeo_deploy.rehearsal.account import Account, open_account
from pangeo_deploy.rehearsal.provider import serve_provider
from pangeo_deploy.rehearsal.resources import kept_types

__all__ = ["Account", "kept_types", "open_account", "serve_provider"]
