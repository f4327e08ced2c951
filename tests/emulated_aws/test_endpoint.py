"""The account as a service of its own: any SDK, command or provider reaches it by its address."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulated_aws import serve_account
from emulated_aws.account import isolated_session
from pangeo_core.errors import BadInput, MissingPrerequisite


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Serve in a process of its own; yield it and the environment that it prints."""
    command = [sys.executable, "-m", "emulated_aws", "serve", "--state", str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    environment = {}
    try:
        assert process.stdout
        for line in process.stdout:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            environment[name] = value
            if name == "HTTP_PROXY":
                break
        yield process, environment
    finally:
        process.kill()
        process.wait()


def client(environment: dict[str, str], service: str, **settings: Any) -> Any:
    """Return a client as another program would make it, from the environment alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment.items():
            if name != "HTTP_PROXY":
                patch.setenv(name, value)
        retries = {"total_max_attempts": 1}
        config = Config(retries=retries, s3={"addressing_style": "path"}, **settings)
        return boto3.Session().client(service, config=config)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_state_outlives_every_end(tmp_path: Path, end: signal.Signals) -> None:
    with served(tmp_path) as (process, environment):
        client(environment, "sqs").create_queue(QueueName="q")
        client(environment, "ce").create_anomaly_monitor(
            AnomalyMonitor={"MonitorName": "m", "MonitorType": "CUSTOM"}
        )
        process.send_signal(end)
        assert process.wait(30) == (-end if end is signal.SIGKILL else 0)
    with serve_account(tmp_path) as account:
        assert len(account.client("sqs").list_queues()["QueueUrls"]) == 1
        assert len(account.client("ce").get_anomaly_monitors()["AnomalyMonitors"]) == 1


def test_a_second_server_of_a_folder_is_told_of_the_first(tmp_path: Path) -> None:
    with (
        serve_account(tmp_path) as account,
        pytest.raises(MissingPrerequisite, match=account.endpoint),
        serve_account(tmp_path),
    ):
        pass


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(MissingPrerequisite, match=f"Port {port} "),
            serve_account(tmp_path, port=port),
        ):
            pass
    with serve_account(tmp_path, port=port) as account:
        assert account.endpoint == f"http://127.0.0.1:{port}"


def test_a_state_of_another_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    with serve_account(tmp_path):
        pass
    manifest = tmp_path / "account.json"
    older = json.dumps(json.loads(manifest.read_text()) | {"format": 2})
    manifest.write_text(older)
    with pytest.raises(BadInput, match="in format 2"), serve_account(tmp_path):
        pass
    assert manifest.read_text() == older


def test_s3_control_is_reached_with_the_account_as_proxy(tmp_path: Path) -> None:
    with serve_account(tmp_path) as account:
        account.client("s3").create_bucket(
            Bucket="control", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        proxies = {"http": account.provider_environment["HTTP_PROXY"]}
        control = isolated_session().client(
            "s3control", "us-west-2", endpoint_url=account.endpoint, config=Config(proxies=proxies)
        )
        account_id = account.account_id
        control.tag_resource(
            AccountId=account_id,
            ResourceArn="arn:aws:s3:::control",
            Tags=[{"Key": "a", "Value": "b"}],
        )
        found = control.list_tags_for_resource(
            AccountId=account_id, ResourceArn="arn:aws:s3:::control"
        )
        assert found["Tags"] == [{"Key": "a", "Value": "b"}]


# What moto raises, what it has no page for, and a service that it does not know.
@pytest.mark.parametrize(
    ("service", "operation", "asked", "named"),
    [
        ("ec2", "describe_fast_snapshot_restores", {}, "ec2: DescribeFastSnapshotRestores"),
        ("iam", "get_organizations_access_report", {"JobId": "a" * 36}, "iam: GetOrganizations"),
        ("eks", "list_insights", {"clusterName": "c"}, "eks: POST /clusters/c/insights"),
        ("ecr", "list_pull_time_update_exclusions", {}, "ecr: ListPullTimeUpdateExclusions"),
        ("pricing", "describe_services", {}, "pricing: DescribeServices"),
        ("cloudfront", "list_anycast_ip_lists", {}, "cloudfront: GET"),
    ],
)
def test_what_is_not_emulated_is_refused_by_name_and_not_retried(
    tmp_path: Path, service: str, operation: str, asked: dict[str, str], named: str
) -> None:
    with serve_account(tmp_path) as account, pytest.raises(ClientError) as refusal:
        getattr(account.client(service), operation)(**asked)
    answer = refusal.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
    assert answer["Error"]["Code"] == "NotEmulated"
    assert named in answer["Error"]["Message"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"AnomalyMonitor": 1}', b'{"AnomalyMonitor": {}}', b"\xff"]
)
def test_a_malformed_request_is_refused_and_nothing_is_lost(tmp_path: Path, body: bytes) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ce/aws4_request"
    headers = {
        "Authorization": signed,
        "X-Amz-Target": "AWSInsightsIndexService.CreateAnomalyMonitor",
        "Content-Type": "application/x-amz-json-1.1",
    }
    with serve_account(tmp_path) as account:
        request = urllib.request.Request(account.endpoint, body, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as refusal:
            opener.open(request)
        assert refusal.value.code == 400
        assert json.loads(refusal.value.read())["__type"].endswith("Exception")
        assert account.client("ce").get_anomaly_monitors()["AnomalyMonitors"] == []


def test_a_client_that_hangs_holds_up_only_itself(tmp_path: Path) -> None:
    with serve_account(tmp_path) as account:
        host, port = account.endpoint.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as hanging:
            hanging.sendall(
                b"PUT /bucket/key HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            )
            hanging.sendall(b"some of it")
            assert account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
