"""Where the operator allows it, a launch may compute on Dask: so much, and while it runs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hub_user import janitor
from hub_user.binder_launch import LaunchRefused, launch
from hub_user.user import HubRefused, User
from local_hub import dask_clusters, hub_status
from local_hub.fault_injection import until
from tests.local_hub.conftest import Rig, rigged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CLUSTERS = "/services/dask-gateway/api/v1/clusters/"
SHAPES = {"users": "r5.2xlarge", "dask": "m5.2xlarge"}
DISGUISED = """
from dask_gateway import Gateway
gateway = Gateway()
options = gateway.cluster_options()
options.environment = {"PANGEO_CLUSTER_LAUNCHED": "", "PANGEO_CLUSTER_OWNER": "ann"}
cluster = gateway.new_cluster(options, shutdown_on_close=False)
cluster.scale(1)
client = cluster.get_client()
client.wait_for_workers(1, timeout=120)
"""


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A hub where a launch may have one cluster of at most one worker."""
    hub = rigged(tmp_path_factory.mktemp("allowing"), binder=True)
    usual = hub.definition.settings
    dask = {**usual["binder"]["dask"], "clusters_per_person": 1, "cluster_max_workers": 1}
    binder = {**usual["binder"], "dask": dask}
    hub.definition = replace(hub.definition, settings={**usual, "binder": binder})
    with hub as made:
        yield made


def outstayed(rig: Rig) -> list[str]:
    """Return why the janitor would stop clusters now."""
    service = User(rig.url, "janitor", rig.state.secrets["janitor"])
    known = dask_clusters.clusters(rig.folder)
    seen = janitor.make_round(
        service, known, rig.state.settings, SHAPES, lambda *_: Decimal(1), now=datetime.now(UTC)
    )
    return [one.reason for one in seen.outstayed if one.kind == "cluster"]


def made(user: User, **options: object) -> str:
    body = {"cluster_options": options}
    return str(user.ask("POST", CLUSTERS, scheme="jupyterhub", json=body).json()["name"])


def test_a_launch_computes_within_its_limits_and_no_longer_than_it_runs(allowing: Rig) -> None:
    bob = allowing.user("bob")
    launch(bob, hub_status.repository(allowing.place, "example"))
    with bob.kernel() as kernel:
        token, address = kernel.result(
            "import os, json; print(json.dumps([os.environ['JUPYTERHUB_API_TOKEN'],"
            "os.environ['DASK_GATEWAY__ADDRESS']]))"
        )
        assert address == hub_status.gateway_address(allowing.place)
        # What tells that it is a launch's cannot be taken off.
        kernel.run(DISGUISED)
        assert kernel.run("print(client.submit(sum, range(101)).result())").strip() == "5050"
        (cluster,) = dask_clusters.clusters(allowing.folder)
        assert (cluster.owner, cluster.launched) == ("bob", True)
    stranger = User(allowing.url, "bob", token)
    with pytest.raises(HubRefused, match="422") as second:
        made(stranger)
    assert "a launch from Binder" in second.value.why
    scaled = stranger.ask(
        "POST", f"{CLUSTERS}{cluster.name}/scale", scheme="jupyterhub", json={"count": 9}
    )
    assert "Scaling to 1 instead" in scaled.json()["msg"]
    assert [one for one in stranger.whoami()["scopes"] if one.startswith("access:services")] == [
        "access:services!service=dask-gateway"
    ]
    with pytest.raises((LaunchRefused, HubRefused)):
        launch(stranger, hub_status.repository(allowing.place, "second"))
    assert outstayed(allowing) == []
    # Their own clusters, beside it, are no launch's: they know the person's token.
    own = made(bob)
    until(lambda: len(dask_clusters.clusters(allowing.folder)) == 2)
    assert {one.name for one in dask_clusters.clusters(allowing.folder) if one.launched} == {
        cluster.name
    }
    bob.stop_server()
    bob.start_server()  # an ordinary one does not keep it
    assert outstayed(allowing) == [
        "it was made in a server that bob had launched from Binder, which has ended"
    ]
    bob.stop_server()
    bob.ask("DELETE", f"{CLUSTERS}{own}", scheme="jupyterhub")
    bob.ask("DELETE", f"{CLUSTERS}{cluster.name}", scheme="jupyterhub")
