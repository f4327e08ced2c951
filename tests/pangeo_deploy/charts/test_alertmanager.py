"""Alertmanager with the project's configuration tells a topic: the real one, an emulated SNS."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from pangeo_deploy.charts.alerts import told
from tests.conftest import PROJECT, needs

REGION = "us-west-2"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
pytestmark = needs("prometheus-alertmanager")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an emulated AWS."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def alertmanager(cloud: str, tmp_path: Path) -> Iterator[tuple[str, Any, str]]:
    """Alertmanager's address, and a queue that hears the topic which it tells."""
    sns, sqs = (boto3.client(service, REGION, endpoint_url=cloud) for service in ("sns", "sqs"))
    topic = sns.create_topic(Name="pangeo-prod-alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="operator")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])

    configuration = told(PROJECT, topic)
    configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    (receiver,) = configuration["receivers"]
    receiver["sns_configs"][0]["api_url"] = cloud
    (tmp_path / "config.json").write_text(json.dumps(configuration))
    port = free_port()
    options = {
        "config.file": tmp_path / "config.json",
        "storage.path": tmp_path,
        "web.listen-address": f"127.0.0.1:{port}",
        "cluster.listen-address": "",
    }
    program = ["prometheus-alertmanager", *(f"--{name}={value}" for name, value in options.items())]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(program, env={**os.environ, **KEYS}, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: ready(address), tmp_path / "log")
        yield address, sqs, queue
    finally:
        process.kill()
        process.wait()


def ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def wait_for(found: Any, log: Path) -> Any:
    end = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    return value


def test_an_alert_reaches_the_topic_with_what_to_do_and_when_it_is_over(
    alertmanager: tuple[str, Any, str], tmp_path: Path
) -> None:
    address, sqs, queue = alertmanager

    def heard() -> dict[str, str] | None:
        messages = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        return json.loads(messages[0]["Body"]) if messages else None

    alert = {
        "labels": {"alertname": "HubDown", "severity": "page"},
        "annotations": {"summary": "The hub has not answered.", "runbook": "Look at its log."},
    }
    requests.post(f"{address}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()
    told_first = wait_for(heard, tmp_path / "log")
    assert told_first["Subject"] == "page firing: HubDown"
    assert told_first["Message"].split("\n")[:2] == [
        "The hub has not answered.",
        "What to do: Look at its log.",
    ]
    over = {**alert, "endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-12-31T00:00:00Z"}
    requests.post(f"{address}/api/v2/alerts", json=[over], timeout=10).raise_for_status()
    told_last = wait_for(heard, tmp_path / "log")
    assert told_last["Subject"] == "page resolved: HubDown"
    assert "It is over." in told_last["Message"]


def test_without_a_topic_the_configuration_is_sound_and_tells_nobody(tmp_path: Path) -> None:
    configuration = told(PROJECT, "")
    assert configuration["receivers"] == [{"name": "operators"}]
    (tmp_path / "config.json").write_text(json.dumps(configuration))
    checked = subprocess.run(
        ["amtool", "check-config", tmp_path / "config.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
