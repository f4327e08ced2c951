"""The command line: parse, call, print. What there is to decide lives in the rooms."""

from pangeo_deploy.cli.app import main

__all__ = ["main"]
