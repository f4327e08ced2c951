"""Whose credentials these are is asked of a real endpoint (the rehearsal's), through boto3."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from emulated_aws import open_account
from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy.identity import require_account, whoami
from pangeo_deploy.targets import image_checks
from pangeo_deploy.targets.aws_checks import cloud, versions
from tests.conftest import PROJECT, Cli


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with open_account(tmp_path / "account") as opened:
        monkeypatch.setenv("AWS_ENDPOINT_URL", opened.endpoint)
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        yield


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="rehearsal", aws_secret_access_key="rehearsal")


@pytest.mark.usefixtures("account")
def test_credentials_are_asked_who_they_are() -> None:
    found = whoami(session())
    assert found.account_id == "123456789012"
    assert found.arn.startswith("arn:aws:")
    require_account(found, "123456789012")
    require_account(found, None)
    with pytest.raises(BadInput, match="210987654321"):
        require_account(found, "210987654321")


@pytest.mark.usefixtures("account")
def test_no_credentials_say_how_to_get_some() -> None:
    with pytest.raises(MissingPrerequisite, match="no AWS credentials") as caught:
        whoami(boto3.Session())
    assert "sso login" in caught.value.fix


@pytest.mark.usefixtures("account")
def test_expired_credentials_are_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = session()
    answer = {"Error": {"Code": "ExpiredToken", "Message": "The security token is expired"}}

    class Sts:
        def get_caller_identity(self) -> None:
            raise ClientError(answer, "GetCallerIdentity")

    monkeypatch.setattr(mine, "client", lambda _service: Sts())
    with pytest.raises(MissingPrerequisite, match="expired"):
        whoami(mine)


def price(_service: str, item: str) -> Decimal:
    return {"cluster-hour": Decimal("0.10"), "extended-cluster-hour": Decimal("0.60")}[item]


@pytest.fixture
def calendar(tmp_path: Path) -> Path:
    folder = tmp_path / "terraform/modules/cluster"
    folder.mkdir(parents=True)
    (folder / "kubernetes_versions.json").write_text('{"1.34": "2026-12-02", "1.36": "2027-08-02"}')
    return tmp_path


def test_the_end_of_support_is_told_with_its_price(calendar: Path) -> None:
    old, new = versions(calendar, date(2026, 11, 22), price)
    assert (old.ok, new.ok) == (False, True)
    assert "10 days left" in old.detail
    assert "365 USD a month more" in old.detail
    assert old.fix


@pytest.mark.usefixtures("account")
def test_a_quota_that_cannot_be_asked_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_checks, "SCHEME", "nowhere")  # no registry is asked
    found = list(cloud(session, PROJECT, date(2026, 1, 1), price))
    quotas = [one for one in found if one.name.startswith("quota")]
    assert len(quotas) == 4
    assert not [one for one in quotas if one.required and not one.ok]


def test_the_doctor_for_aws_says_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    nothing = str(tmp_path / "none")
    ran = cli(
        "doctor", "--target", "aws", "--json",
        AWS_CONFIG_FILE=nothing, AWS_SHARED_CREDENTIALS_FILE=nothing, AWS_PROFILE="",
        AWS_ACCESS_KEY_ID="", AWS_EC2_METADATA_DISABLED="true",
        HTTPS_PROXY="http://127.0.0.1:1",  # no registry is asked
    )  # fmt: skip
    assert ran.code == 2
    found = {one["name"]: one for one in ran.json["checks"]}
    assert not found["AWS credentials"]["ok"]
    assert any(name.startswith("Kubernetes") for name in found)
    for name in ("helm", "kubectl", "aws", "Chart.lock of pangeo", "provider lock", "prod: names"):
        assert name in found, name
