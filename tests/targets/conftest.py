"""The sites on which the conformance suite runs: a deployment on each target, and what it has.

A new target adds a function here that returns its site. `aws` runs against the emulated account
and a hub of this machine, through the code that reaches AWS: boto3's own endpoint variable, the
tokens from the environment, and a kubectl that prints what kubectl 1.36 prints for the gateway's
resources (recorded from a real API server with dask-gateway 2026.3's CRDs).
"""

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from emulated_aws import open_account
from local_hub import control, hub_state
from pangeo_deploy.deployment import Deployment, TargetName
from pangeo_deploy.targets import Target, target_of
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place
from tests.conftest import PROJECT


@dataclass(frozen=True)
class Site:
    """A deployment, and the operations that its target has; it refuses all others."""

    deployment: Deployment
    has: frozenset[str]

    @property
    def target(self) -> Target:
        return target_of(self.deployment)


# Every operation that a target may refuse, called as commands call it.
OPERATIONS: dict[str, Callable[[Target, Path], object]] = {
    "price_list": lambda target, folder: target.price_list(),
    "known_types": lambda target, folder: target.known_types(),
    "connect": lambda target, folder: target.connect().__enter__(),
    "reset": lambda target, folder: target.reset(),
    "start_hub": lambda target, folder: target.start_hub(),
    "stop_hub": lambda target, folder: target.stop_hub(),
    "hub_status": lambda target, folder: target.hub_status(),
    "entrance": lambda target, folder: target.entrance(),
    "gateway": lambda target, folder: target.gateway("ann"),
    "janitor": lambda target, folder: target.janitor(),
    "usage_records": lambda target, folder: target.usage_records(),
    "deploy_charts": lambda target, folder: target.deploy_charts(),
    "save_hub": lambda target, folder: target.save_hub(),
    "remove_charts": lambda target, folder: target.remove_charts(),
    "monthly_bill": lambda target, folder: target.monthly_bill("2026-10", folder),
}
EVERYTHING = frozenset(OPERATIONS)
HAS: dict[TargetName, frozenset[str]] = {
    "rehearsal": EVERYTHING - {"price_list"},
    "kubernetes": frozenset({"entrance", "janitor", "deploy_charts", "save_hub", "remove_charts"}),
    "aws": EVERYTHING
    - {"reset", "start_hub", "stop_hub", "hub_status", "gateway", "usage_records"},
}
KUBECTL = """#!/bin/sh
case "$1 $2" in
  "get daskclusters.gateway.dask.org") cat "$KUBECTL_CLUSTERS" ;;
  "get secret") cat "$KUBECTL_SECRET" ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture(scope="session", params=sorted(HAS))
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A deployment on each target in turn, with nothing in it yet."""
    name: TargetName = request.param
    with SITES[name](tmp_path_factory.mktemp(name)) as deployment:
        yield Site(deployment, HAS[name])


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A hub on this machine, which `rehearsal` has for its own and `aws` is told to reach."""
    deployment = Deployment("staging", project=PROJECT, state=tmp_path_factory.mktemp("hub"))
    with control.running(hub_definition(deployment)):
        yield deployment


@pytest.fixture
def inhabited(site: Site, hub: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site with a hub in which ann has a server."""
    rehearsed = target_of(hub)
    ann = rehearsed.entrance("ann").enter()
    if not ann.whoami()["servers"]:
        ann.start_server()
    if site.deployment.target == "rehearsal":
        return Site(hub, site.has)
    url = rehearsed.hub_status().url
    project = tmp_path / "project"
    for folder in ("helm", "terraform/environments"):
        shutil.copytree(PROJECT / folder, project / folder)
    file = project / "helm/environments/staging.yaml"
    values = yaml.safe_load(file.read_text())
    values.setdefault("pangeo", {}).setdefault("pangeo", {})["url"] = url
    file.write_text(yaml.safe_dump(values))
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "clusters.json").write_text(json.dumps({"items": []}))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KUBECTL_CLUSTERS", str(tmp_path / "clusters.json"))
    tokens = hub_state.load(hub_place(hub).folder).secrets
    held = {
        f"hub.services.{name}.apiToken": base64.b64encode(tokens[name].encode()).decode()
        for name in ("smoke", "janitor")
    }
    (tmp_path / "secret.json").write_text(json.dumps({"data": held}))
    monkeypatch.setenv("KUBECTL_SECRET", str(tmp_path / "secret.json"))
    for variable in ("PANGEO_HUB_TOKEN", "PANGEO_JANITOR_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    return Site(Deployment("staging", site.deployment.target, project), site.has)


@contextmanager
def _rehearsal(folder: Path) -> Iterator[Deployment]:
    yield Deployment("staging", project=PROJECT, state=folder)


@contextmanager
def _aws(folder: Path) -> Iterator[Deployment]:
    project = folder / "project"
    for part in ("helm", "terraform"):
        shutil.copytree(PROJECT / part, project / part)
    backend = 'bucket = "state"\nkey = "staging"\nregion = "us-west-2"\n'
    (project / "terraform/environments/staging.s3.tfbackend").write_text(backend)
    with open_account(folder / "account") as account, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", account.endpoint)
        patch.setenv("AWS_DEFAULT_REGION", account.region)
        patch.setenv("AWS_ACCESS_KEY_ID", "emulated")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "emulated")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield Deployment("staging", "aws", project, folder / "state")


@contextmanager
def _kubernetes(folder: Path) -> Iterator[Deployment]:
    yield Deployment("local", "kubernetes", PROJECT, folder / "state")


SITES = {"rehearsal": _rehearsal, "kubernetes": _kubernetes, "aws": _aws}
