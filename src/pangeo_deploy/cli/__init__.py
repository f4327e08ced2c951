"""The command line: parse, call, print. What there is to decide is decided elsewhere."""

from pangeo_deploy.cli.app import main as main
