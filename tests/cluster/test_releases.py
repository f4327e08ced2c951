"""The life of a release in a real API server, by the project's own commands, nothing replaced.

Only where the charts' dependencies lie in helm/*/charts (a deploy brings them, by the locks): they
are other projects' and never committed, so a plain clone has no such test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pangeo_core.errors import CheckFailed
from pangeo_deploy.charts import dependencies, secrets
from pangeo_deploy.charts import deploy as deploying
from pangeo_deploy.charts import remove as removing
from pangeo_deploy.charts.programs import ClusterRefused
from pangeo_deploy.charts.values import CHARTS
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.preflight import Facts, NodeKind
from tests.cluster.conftest import add_node
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.machines import machines
from tests.conftest import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
WHOLE = all(dependencies.at_hand(PROJECT / "helm" / chart) for chart in CHARTS)
CONTEXT = "arn:aws:eks:us-west-2:123456789012:cluster/pangeo-staging"
DRIVERS = ("ebs.csi.aws.com", "efs.csi.aws.com")


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, facts: Facts
) -> Iterator[tuple[ControlPlane, Deployment, dict[str, Any]]]:
    """A cluster of staging's nodes on which pods start, and the deployment with its outputs."""
    with control_plane(tmp_path_factory.mktemp("releases"), CONTEXT) as plane:
        first: dict[str, NodeKind] = {}
        for node in facts.nodes:
            first.setdefault(node.name.partition(" ")[0], node)
        for name, node in first.items():
            add_node(plane, f"{name}-0", node)
        for name in DRIVERS:
            spec = {"attachRequired": False}
            kind = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver"}
            plane.apply({**kind, "metadata": {"name": name}, "spec": spec})
        with machines(plane), pytest.MonkeyPatch.context() as patch:
            for name, value in plane.environment.items():
                patch.setenv(name, value)
            for name in secrets.LOGIN_KEYS.values():
                patch.setenv(name, "given")
            patch.setattr(deploying, "TIMEOUT", "5m")
            outputs = {**facts.outputs, "tags": dict(facts.outputs["tags"])}
            yield plane, Deployment("staging", "aws", PROJECT), outputs


def pods(plane: ControlPlane) -> dict[str, str]:
    """Return the pods that always run, by name with their uid."""
    listed = plane.json("get", "pods", "--all-namespaces")["items"]
    return {
        one["metadata"]["name"]: one["metadata"]["uid"]
        for one in listed
        if one["metadata"]["namespace"] in ("pangeo", "support")
        and not any(owner["kind"] == "Job" for owner in one["metadata"].get("ownerReferences", ()))
    }


if WHOLE:

    def test_a_release_is_installed_kept_rolled_back_and_removed(
        cluster: tuple[ControlPlane, Deployment, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plane, staging, outputs = cluster
        done = deploying.deploy(staging, outputs)
        assert done.revisions == {"support": (0, 1), "pangeo": (0, 1)}
        before = pods(plane)
        deploying.deploy(staging, outputs)
        assert pods(plane) == before, "a second deploy restarted something"

        edit = ("set", "resources", "deploy/hub", "--limits=memory=3Gi", "--namespace", "pangeo")
        plane.run(*edit)
        plane.run("delete", "secret", "pangeo-hub", "--namespace", "pangeo")
        with pytest.raises(CheckFailed, match="smoke test failed"):
            deploying.deploy(staging, outputs, smoke=lambda: False)
        hub = plane.json("get", "deployment", "hub", "--namespace", "pangeo")
        limits = hub["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert limits["memory"] == "2Gi", "kubectl's edit was kept"
        chart, own = (
            plane.json("get", "secret", name, "--namespace", "pangeo")["data"][secrets.PROXY_TOKEN]
            for name in ("hub", "pangeo-hub")
        )
        assert chart == own, "the rollback brought a revoked token back"

        removing.remove(staging)
        assert plane.json("get", "persistentvolumes")["items"] == []
        assert pods(plane) == {}
        left = plane.json("get", "secrets", "--namespace", "pangeo")["items"]
        assert left == []

    def test_a_failed_first_deploy_leaves_nothing_in_the_way_of_the_next(
        cluster: tuple[ControlPlane, Deployment, dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        plane, staging, outputs = cluster
        monkeypatch.setattr(deploying, "TIMEOUT", "60s")
        plane.run("cordon", "core-0")
        with pytest.raises(ClusterRefused) as refused:
            deploying.deploy(staging, outputs)
        assert "FailedScheduling" in refused.value.why
        plane.run("uncordon", "core-0")
        monkeypatch.setattr(deploying, "TIMEOUT", "5m")
        assert deploying.deploy(staging, outputs).revisions["pangeo"][1] >= 1
        removing.remove(staging)
