"""Fixtures for an emulated account: `pytest_plugins = ["emulated_aws.pytest_plugin"]`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from emulated_aws.account import Account
from emulated_aws.account_server import open_account


@pytest.fixture
def aws_account(tmp_path: Path) -> Iterator[Account]:
    """Yield an emulated account for this test alone."""
    with open_account(tmp_path / "aws-account") as account:
        yield account


@pytest.fixture
def aws_environment(aws_account: Account, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Point every SDK and program of the test to the account; return the variables."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_account.environment.items():
        monkeypatch.setenv(name, value)
    return aws_account.environment
