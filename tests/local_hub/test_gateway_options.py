"""What a cluster on Kubernetes gets of what was asked: the charts' own code, without a cluster."""

import asyncio
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from dask_gateway_server.backends.base import PublicException
from traitlets.config import Config

from pangeo_deploy.charts.values import settings
from tests.conftest import PROJECT

REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com/pangeo-prod/binder/"
ANN = SimpleNamespace(name="ann")
GUEST = SimpleNamespace(name="ann", launched=True)


class Backend:
    """Stands for the backend on Kubernetes, whose client library is not installed here."""

    def __init__(self) -> None:
        self.made: list[SimpleNamespace] = []

    async def list_clusters(self) -> list[SimpleNamespace]:
        return self.made

    async def start_cluster(self, user: SimpleNamespace, options: dict[str, Any]) -> str:
        environment = {"PANGEO_CLUSTER_LAUNCHED": "1"} if getattr(user, "launched", False) else {}
        name = f"cluster-{len(self.made)}"
        config = {"environment": environment}
        self.made.append(SimpleNamespace(name=name, username=user.name, config=config))
        return name

    async def stop_cluster(self, name: str, failed: bool = False) -> None:
        self.made = [one for one in self.made if one.name != name]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of helm/files/gateway.py, read as the chart's pod reads it."""
    values = settings(PROJECT, "prod")
    dask = {**values["binder"]["dask"], "clusters_per_person": 1, "cluster_max_workers": 3}
    binder = {**values["binder"], "registry_prefix": REGISTRY, "dask": dask}
    images = [{"slug": "ml", "name": "ML", "image": "quay.io/pangeo/ml-notebook:2026.08.01"}]
    told = {
        **values,
        "software": {"images": images, "other": ""},
        "services": ["dask-gateway", "binder"],
        "binder": binder,
    }
    monkeypatch.setenv("PANGEO_SETTINGS", json.dumps(told))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    library: Any = ModuleType("dask_gateway_server.backends.kubernetes")
    library.KubeBackend = Backend
    monkeypatch.setitem(sys.modules, library.__name__, library)
    config = Config()
    # What the chart has set before it reads this file.
    identity = {"serviceAccountName": "dask", "priorityClassName": "pangeo-dask-worker"}
    config.KubeClusterConfig.worker_extra_pod_config = identity
    config.KubeClusterConfig.scheduler_extra_pod_config = {"serviceAccountName": "dask"}
    names: dict[str, Any] = {"c": config}
    exec((PROJECT / "helm" / "files" / "gateway.py").read_text(), names)
    return names


def asked(gateway: dict[str, Any], user: SimpleNamespace, **options: Any) -> dict[str, Any]:
    offered = gateway["c"].Backend.cluster_options
    chosen: dict[str, Any] = offered.get_configuration(offered.parse_options(options), user)
    return chosen


def test_a_cluster_has_its_owner_where_cost_reports_look(gateway: dict[str, Any]) -> None:
    seen = asked(gateway, ANN)
    for part in ("scheduler", "worker"):
        assert seen[f"{part}_extra_pod_labels"] == {"hub.jupyter.org/username": "ann"}
        assert seen[f"{part}_extra_pod_annotations"] == {"hub.jupyter.org/username": "ann"}
        assert f"{part}_extra_pod_config" not in seen  # the charts' own identity stays


@pytest.mark.parametrize("tag", ["2026.08.01", "2026.11.30"])
def test_a_cluster_runs_any_version_of_the_hubs_image(gateway: dict[str, Any], tag: str) -> None:
    """As on the day of an upgrade, when servers still run the version before."""
    for name in ("pangeo-notebook", "ml-notebook"):  # what a person may choose
        image = f"quay.io/pangeo/{name}:{tag}"
        assert asked(gateway, ANN, image=image)["image"] == image


@pytest.mark.parametrize(
    "image",
    [
        "registry.example/evil/xmrig:latest",
        "quay.io/pangeo/pangeo-notebook-evil:1",
        "quay.io/pangeo/pangeo-notebook.evil.example/x:1",
        "evil.example/quay.io/pangeo/pangeo-notebook:1",
        f"{REGISTRY}launched:1",  # what Binder made is for what Binder launched
        "",
    ],
)
def test_a_cluster_runs_no_other_image(gateway: dict[str, Any], image: str) -> None:
    with pytest.raises(ValueError, match="pangeo-notebook"):
        asked(gateway, ANN, image=image)


@pytest.mark.parametrize("memory", [float("nan"), float("inf"), "much", -1.0, 1e9])
def test_memory_that_no_worker_may_have_is_refused(gateway: dict[str, Any], memory: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        asked(gateway, ANN, worker_memory=memory)


@pytest.mark.parametrize(
    "environment",
    [
        {"": "x"},
        {"A=B": "x"},
        {"A B": "x"},
        {"A\0B": "x"},
        {"1A": "x"},
        {"Ä": "x"},
        {"A": 1},
        {"A": None},
        {"A": ["x"]},
        {"A": "x\0y"},
        {"A": "x" * 40_000},
        {f"A{number}": "x" for number in range(10_000)},
    ],
)
def test_variables_that_no_pod_can_have_are_refused(
    gateway: dict[str, Any], environment: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="environment"):
        asked(gateway, ANN, environment=environment)


def test_a_persons_own_variables_reach_the_cluster_and_the_hubs_stay(
    gateway: dict[str, Any],
) -> None:
    given = {"PANGEO_SCRATCH": "s3://a/b", "A_1": "", "PANGEO_HUB_FOLDER": "/elsewhere"}
    seen = asked(gateway, ANN, environment=given)["environment"]
    assert seen == {"PANGEO_SCRATCH": "s3://a/b", "A_1": "", "PANGEO_CLUSTER_OWNER": "ann"}


def test_a_launch_has_its_own_image_fewer_workers_and_no_identity(gateway: dict[str, Any]) -> None:
    image = f"{REGISTRY}r2d-example-1:abc"
    hidden = {"PANGEO_CLUSTER_LAUNCHED": "", "PANGEO_CLUSTER_OWNER": "bob", "A": "b"}
    seen = asked(gateway, GUEST, image=image, environment=hidden)
    assert seen["image"] == image
    assert seen["cluster_max_workers"] == 3
    assert seen["environment"] == {
        "A": "b",
        "PANGEO_CLUSTER_OWNER": "ann",
        "PANGEO_CLUSTER_LAUNCHED": "1",
    }
    worker, scheduler = (seen[f"{part}_extra_pod_config"] for part in ("worker", "scheduler"))
    assert worker == {
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "priorityClassName": "pangeo-dask-worker",  # so that the quota counts it
    }
    assert scheduler["serviceAccountName"] == "default"
    with pytest.raises(ValueError, match="pangeo-notebook"):
        asked(gateway, GUEST, image="registry.example/evil/xmrig:latest")


def test_nobody_passes_for_a_launch_or_hides_one(gateway: dict[str, Any]) -> None:
    seen = asked(gateway, ANN, environment={"PANGEO_CLUSTER_LAUNCHED": "1"})
    assert seen["environment"] == {"PANGEO_CLUSTER_OWNER": "ann"}


def test_launches_count_among_their_persons_clusters(gateway: dict[str, Any]) -> None:
    async def try_it() -> None:
        backend = gateway["c"].DaskGateway.backend_class()
        first = await backend.start_cluster(GUEST, {})
        with pytest.raises(PublicException, match="a launch from Binder"):
            await backend.start_cluster(GUEST, {})
        most = settings(PROJECT, "prod")["dask"]["clusters_per_person"]
        for _ in range(most - 1):
            await backend.start_cluster(ANN, {})
        with pytest.raises(PublicException, match="as many as a person may"):
            await backend.start_cluster(ANN, {})
        await backend.stop_cluster(first)
        await backend.start_cluster(GUEST, {})

    asyncio.run(try_it())


class Hub:
    """Stands for the gateway's session with the hub, which answers GET /user for a token."""

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    def get(self, url: str, **_: Any) -> "Hub":
        assert url.endswith("/user")
        return self

    def __await__(self) -> Any:
        yield from ()
        return self

    async def __aenter__(self) -> "Hub":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    status = 200

    async def json(self) -> dict[str, Any]:
        return {"name": "ann", "kind": "user", "scopes": list(self.scopes)}


@pytest.mark.parametrize(
    ("scopes", "launched"),
    [
        (["access:services!service=dask-gateway"], True),
        (["access:services!service=dask-gateway", "access:services!service=binder"], False),
        (["access:services"], False),
    ],
)
def test_the_gateway_tells_a_launch_by_its_token(
    gateway: dict[str, Any], monkeypatch: pytest.MonkeyPatch, scopes: list[str], launched: bool
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of the gateway")
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://hub.example/hub/api")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "dask-gateway")
    login = gateway["c"].DaskGateway.authenticator_class()
    login.session, login.ssl_context = Hub(*scopes), None
    request = SimpleNamespace(headers={"Authorization": "jupyterhub abc"})
    assert asyncio.run(login.authenticate(request)).launched is launched
