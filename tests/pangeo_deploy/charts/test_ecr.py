"""BinderHub's password for ECR, against AWS' own library and a stand-in for the agent and ECR."""

import asyncio
import base64
import io
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import PROJECT

IDENTITY = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret-key", "Token": "session"}
PREFIX = "123456789012.dkr.ecr.us-west-2.amazonaws.com/pangeo-prod/binder/"


class DockerRegistry:
    """As much of BinderHub's as is called."""

    url = f"https://{PREFIX.partition('/')[0]}"
    username = password = ""

    async def get_image_manifest(self, image: str, tag: str) -> tuple[str, str]:
        return self.username, self.password


class Config(dict[str, Any]):
    """What traitlets calls `c`."""

    def __getattr__(self, name: str) -> Any:
        return self.setdefault(name, types.SimpleNamespace())


def load(monkeypatch: pytest.MonkeyPatch, prefix: str) -> tuple[dict[str, Any], Config]:
    registry = types.SimpleNamespace(DockerRegistry=DockerRegistry)
    monkeypatch.setitem(sys.modules, "binderhub.registry", registry)  # type: ignore[arg-type]
    told = json.dumps({"binder": {"registry_prefix": prefix}})
    monkeypatch.setenv("PANGEO_SETTINGS", told)
    found: dict[str, Any] = {"c": Config()}
    exec((PROJECT / "helm" / "files" / "ecr.py").read_text(), found)
    return found, found["c"]


def test_the_signature_is_the_one_that_aws_library_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    ecr, _ = load(monkeypatch, PREFIX)
    moment = time.gmtime(1_790_000_000)
    host = "api.ecr.us-west-2.amazonaws.com"
    ours = ecr["signed"](host, "us-west-2", IDENTITY, moment)
    plain = {key: ours[key] for key in ("content-type", "x-amz-target")}
    request = AWSRequest("POST", f"https://{host}/", data=b"{}", headers=plain)
    request.context["timestamp"] = ours["x-amz-date"]
    keys = Credentials(IDENTITY["AccessKeyId"], IDENTITY["SecretAccessKey"], IDENTITY["Token"])
    signer = SigV4Auth(keys, "ecr", "us-west-2")
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = IDENTITY["Token"]
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    assert ours["authorization"].endswith(f"Signature={signer.signature(text, request)}")


def test_a_password_is_asked_for_once_and_reaches_builds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ecr, c = load(monkeypatch, PREFIX)
    assert c["BinderHub"].registry_class is ecr["ECR"]
    (tmp_path / "token").write_text("pods-own")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
    asked = []

    def urlopen(request: Any, timeout: float) -> io.BytesIO:
        asked.append((request.full_url, request.get_header("Authorization")))
        if "credentials" in request.full_url:
            return io.BytesIO(json.dumps(IDENTITY).encode())
        token = base64.b64encode(b"AWS:hush-hush").decode()
        return io.BytesIO(
            json.dumps({"authorizationData": [{"authorizationToken": token}]}).encode()
        )

    monkeypatch.setattr("urllib.request.urlopen", urlopen)

    async def twice() -> tuple[Any, Any]:
        registry = ecr["ECR"]()
        return (
            await registry.get_image_manifest("pangeo-prod/binder/x", "1"),
            await registry.get_credentials("pangeo-prod/binder/x", "1"),
        )

    seen, given = asyncio.run(twice())
    assert seen == ("AWS", "hush-hush")
    assert given == {"registry": DockerRegistry.url, "username": "AWS", "password": "hush-hush"}
    assert [url for url, _ in asked] == [
        "http://169.254.170.23/v1/credentials",
        "https://api.ecr.us-west-2.amazonaws.com/",
    ]
    assert asked[0][1] == "pods-own"


def test_another_registry_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _, c = load(monkeypatch, "quay.io/somebody/")
    assert c == {}
