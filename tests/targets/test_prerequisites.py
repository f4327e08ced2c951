"""What `doctor` says of programs, files, an account and a cluster: what lacks, and the way out."""

import http.server
import json
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulated_aws import open_account
from pangeo_deploy.targets import image_checks, kubernetes_checks
from pangeo_deploy.targets.aws_environment_checks import (
    account_checks,
    environment_checks,
    plain,
    project_checks,
    repository,
)
from pangeo_deploy.targets.check import Check
from pangeo_deploy.targets.cluster_age_checks import cluster_age
from pangeo_deploy.targets.program_checks import programs
from tests.conftest import PROJECT

TODAY = date(2026, 11, 30)
KUBECTL = """#!/bin/sh
case "$*" in
  "config current-context") echo k3s ;;
  version*) echo '{"clientVersion": {"minor": "36", "gitVersion": "v1.36.3"},
    "serverVersion": {"minor": "'$SERVER'", "gitVersion": "v1.'$SERVER'.0"}}' ;;
  "auth can-i create "*) [ "$4" != "$DENIED" ] || { echo no; exit 1; } ;;
  "get storageclasses"*) echo "$CLASSES" ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
DEFAULT = {"name": "local-path", "annotations": {kubernetes_checks.DEFAULT_CLASS: "true"}}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but the shell's own programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(text if text.startswith("#!") else f"#!/bin/sh\necho '{text}'\n")
    file.chmod(file.stat().st_mode | stat.S_IEXEC)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry that has one tag, and gives anybody a token, as quay.io does; the only one here.

    The challenge, the token and the answers are those of the OCI distribution specification.
    """

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(200, body=b'{"token": "anybody"}')

        def do_HEAD(self) -> None:
            if self.headers.get("Authorization") != "Bearer anybody":
                realm = f"http://localhost:{self.server.server_port}/token"  # type: ignore[attr-defined]
                self.reply(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="here"'})
            else:
                self.reply(200 if self.path.endswith("/manifests/2026.06.04") else 404)

        def reply(
            self, status: int, headers: dict[str, str] | None = None, body: bytes = b""
        ) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(image_checks, "SCHEME", "http")
        yield f"localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("tag", "ok"), [("2026.06.04", True), ("2026.08.01", False)])
def test_a_tag_that_a_registry_has_or_not(registry: str, tag: str, ok: bool) -> None:
    chosen = f"{registry}/pangeo/pangeo-notebook:{tag}"
    values = {"pangeo": {"image": chosen}, "janitor": {"image": chosen}}
    (found,) = image_checks.images(values)
    assert found.ok is ok
    assert found.required is not ok
    assert ok or found.fix


def test_a_registry_that_does_not_answer_takes_nothing_away() -> None:
    chosen = "localhost:1/pangeo/pangeo-notebook:2026.06.04"
    (found,) = image_checks.images({"pangeo": {"image": chosen}, "janitor": {"image": chosen}})
    assert not found.ok
    assert not found.required


def by_name(checks: Iterator[Check]) -> dict[str, Check]:
    return {one.name: one for one in checks}


def test_programs_that_are_new_enough(path: Path) -> None:
    program(path, "helm", "v3.21.4+gabc")
    program(path, "kubectl", '{"clientVersion": {"gitVersion": "v1.35.4"}}')
    program(path, "aws", "aws-cli/2.31.0 Python/3.13")
    found = by_name(programs((1, 36), with_aws=True))
    assert [one.ok for one in found.values()] == [True, True, True]
    assert "1.35" in found["kubectl"].detail


@pytest.mark.parametrize("version", ["v3.17.0", "v2.16.1", "an error"])
def test_a_helm_that_is_too_old_or_silent(path: Path, version: str) -> None:
    program(path, "helm", version)
    found = by_name(programs((1, 36), with_aws=False))["helm"]
    assert not found.ok
    assert "3.18 or newer" in found.fix


def test_a_kubectl_two_minors_behind_the_cluster(path: Path) -> None:
    program(path, "kubectl", '{"clientVersion": {"gitVersion": "v1.34.4"}}')
    assert not by_name(programs((1, 36), with_aws=False))["kubectl"].ok


def cluster(path: Path, monkeypatch: pytest.MonkeyPatch, **told: Any) -> dict[str, Check]:
    program(path, "helm", "v4.2.3")
    program(path, "kubectl", KUBECTL)
    classes = {"items": [{"metadata": one} for one in told.pop("classes", [DEFAULT])]}
    usual = {"SERVER": "36", "DENIED": "nothing", "CLASSES": json.dumps(classes)}
    for name, value in {**usual, **told}.items():
        monkeypatch.setenv(name, value)
    return by_name(kubernetes_checks.checks())


def test_a_cluster_that_has_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = cluster(path, monkeypatch)
    assert all(one.ok for one in found.values()), found
    assert found["cluster"].detail == "k3s"
    assert found["storage class"].detail == "local-path is the default"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Kubernetes", {"SERVER": "31"}),
        ("kubectl's version", {"SERVER": "34"}),
        ("rights", {"DENIED": "clusterroles"}),
        ("storage class", {"classes": [{"name": "gp2"}]}),
    ],
)
def test_what_a_cluster_lacks(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: dict[str, Any]
) -> None:
    lacking = [one for one in cluster(path, monkeypatch, **told).values() if not one.ok]
    assert name in {one.name for one in lacking}
    assert all(one.fix for one in lacking)


@pytest.fixture
def project(tmp_path: Path, registry: str) -> Path:
    """A clone of the project, from a repository of its own, with images of the registry here."""
    made = tmp_path / "project"
    for folder in ("helm", "terraform/environments"):
        shutil.copytree(PROJECT / folder, made / folder)
    shutil.copy(PROJECT / "terraform/variables.tf", made / "terraform")
    file = made / "helm/pangeo/values.yaml"
    text = re.sub(
        r"image: quay.io/(\S+):\S+", rf"image: {registry}/\1:2026.06.04", file.read_text()
    )
    file.write_text(text)
    subprocess.run(["git", "init", "--quiet", made], check=True)
    origin = "git@github.com:NCAR/hub.git"
    subprocess.run(["git", "-C", made, "remote", "add", "origin", origin], check=True)
    return made


def test_files_that_still_are_the_examples(project: Path) -> None:
    found = by_name(environment_checks(project))
    environments = {one.partition(":")[0] for one in found if not one.startswith("image")}
    assert environments == {"prod", "staging"}
    assert "'hub.example.org' is an example" in found["prod: names"].detail
    assert "s3.tfbackend is missing" in found["prod: state"].detail
    assert "only the pipeline's" in found["prod: administrators"].detail
    assert not any(one.ok for name, one in found.items() if ":" in name and "image" not in name)


def test_files_that_an_operator_has_filled_in(project: Path) -> None:
    for file in (project / "helm/environments").glob("*.yaml"):
        text = file.read_text().replace("example.org", "hub.invalid")
        file.write_text(text.replace("pangeo-data:", "ncar:"))
    for file in (project / "terraform/environments").glob("*.tfvars"):
        name = file.stem
        roles = f'["pangeo-{name}-apply", "aws-reserved/sso.amazonaws.com/Admin"]'
        file.write_text(file.read_text().replace(f'["pangeo-{name}-apply"]', roles))
        file.with_suffix(".s3.tfbackend").write_text('bucket = "state"\n')
    found = by_name(environment_checks(project))
    lacking = {name for name, one in found.items() if not one.ok}
    assert lacking == {"prod: DNS", "staging: DNS"}  # the record is made later
    assert not any(found[name].required for name in lacking)


def test_what_is_locked_is_looked_at(project: Path) -> None:
    found = by_name(project_checks(project))
    assert found["Chart.lock of pangeo"].ok
    assert "make provider-lock" in found["provider lock"].fix
    (project / "helm/pangeo/Chart.lock").unlink()
    assert "helm dependency update" in by_name(project_checks(project))["Chart.lock of pangeo"].fix


@pytest.mark.slow
def test_what_an_account_must_have(project: Path, tmp_path: Path) -> None:
    with open_account(tmp_path / "account") as account:
        session = boto3.Session("emulated", "emulated", region_name=account.region)

        class Ours:
            """The session, whose clients ask the emulated account."""

            def client(self, service: str, **options: str) -> Any:
                options.pop("region_name", None)
                return session.client(service, endpoint_url=account.endpoint, **options)

        before = by_name(account_checks(Ours(), project, TODAY))
        assert "no role pangeo-prod-apply" in before["prod: trust"].detail
        assert "secretsmanager create-secret" in before["prod: login's secret"].fix

        iam, secrets = Ours().client("iam"), Ours().client("secretsmanager")
        for environment, owner in (("prod", "repo:ncar@12/hub@34"), ("staging", "repo:other/hub")):
            tested = {"StringLike": {"token.actions.githubusercontent.com:sub": [f"{owner}:*"]}}
            statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity"}
            document = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": tested}]}
            name = f"pangeo-{environment}-apply"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
            secrets.create_secret(Name=f"pangeo-{environment}/hub/login", SecretString="{}")
        after = by_name(account_checks(Ours(), project, TODAY))
    assert after["prod: trust"].ok
    assert after["prod: login's secret"].ok
    assert "this clone is of NCAR/hub" in after["staging: trust"].detail


@pytest.mark.parametrize(
    "subject", ["repo:NCAR/hub:ref:refs/heads/main", "repo:NCAR@12/hub@34:environment:prod"]
)
def test_both_forms_of_a_subject_name_the_repository(subject: str) -> None:
    assert plain(subject) == "ncar/hub"


def test_a_clone_knows_where_it_came_from(project: Path, tmp_path: Path) -> None:
    assert repository(project) == "NCAR/hub"
    assert repository(tmp_path) == ""


class Versions:
    """A session whose cluster has one add-on and one node group; answers in AWS' own form."""

    def __init__(self, addon: str, release: str) -> None:
        self.addon, self.release = addon, release

    def client(self, _service: str) -> "Versions":
        return self

    def describe_cluster(self, name: str) -> Any:
        return {"cluster": {"name": name, "version": "1.36"}}

    def list_addons(self, **_: str) -> Any:
        return {"addons": ["vpc-cni"]}

    def describe_addon(self, **_: str) -> Any:
        return {"addon": {"addonVersion": self.addon}}

    def describe_addon_versions(self, **_: str) -> Any:
        listed = [
            {"addonVersion": "v1.21.0-eksbuild.1", "compatibilities": [{"defaultVersion": False}]},
            {"addonVersion": "v1.20.4-eksbuild.2", "compatibilities": [{"defaultVersion": True}]},
        ]
        return {"addons": [{"addonVersions": listed}]}

    def list_nodegroups(self, **_: str) -> Any:
        return {"nodegroups": ["core"]}

    def describe_nodegroup(self, **_: str) -> Any:
        return {"nodegroup": {"releaseVersion": self.release}}

    def get_parameter(self, **_: str) -> Any:
        return {"Parameter": {"Value": "1.36.2-20261101"}}


@pytest.mark.parametrize(
    ("addon", "release", "behind"),
    [
        ("v1.20.4-eksbuild.2", "1.36.2-20261101", set()),
        ("v1.21.0-eksbuild.1", "1.36.2-20261101", set()),
        ("v1.9.9-eksbuild.9", "1.36.2-20261101", {"hub: vpc-cni"}),
        ("v1.20.4-eksbuild.2", "1.36.2-20260801", {"hub: AMI of core"}),
    ],
)
def test_what_of_a_cluster_is_behind(addon: str, release: str, behind: set[str]) -> None:
    found = by_name(cluster_age(Versions(addon, release), "hub"))
    assert {name for name, one in found.items() if not one.ok} == behind
    assert all(one.fix for one in found.values() if not one.ok)
