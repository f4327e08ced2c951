"""The hub's configuration in the real OAuthenticator and KubeSpawner of the chart's image.

The rehearsal has a login and a spawner of its own, so that nothing else runs these lines.
"""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pangeo_deploy.charts.values import complete
from tests.cluster.control_plane import ASSETS
from tests.conftest import PROJECT

PROGRAM = Path(__file__).with_name("as_the_hub.py")
NOWHERE = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "none",
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {"token": "none"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
}
ML, FORGE = "quay.io/pangeo/ml-notebook:2026.06.04", "quay.io/pangeo/forge:2026.1"
IDP = "https://idp.ucar.edu/shibboleth"
BY_ADDRESS = {"username_derivation": {"username_claim": "email"}}
OIDC = {key: f"https://id.ucar.edu/{key}" for key in ("authorize_url", "token_url", "userdata_url")}
LOGINS: dict[str, tuple[dict[str, Any], str, str, Any]] = {
    "github": (
        {"teams": ["pangeo-data:hub-users"]},
        "GitHubOAuthenticator",
        "allowed_organizations",
        ["pangeo-data:hub-users"],
    ),
    "cilogon": (
        {"options": {"idps": {IDP: {**BY_ADDRESS, "allowed_domains": ["UCAR.edu"]}}}},
        "CILogonOAuthenticator",
        "idps",
        {IDP: {**BY_ADDRESS, "allowed_domains": ["ucar.edu"]}},
    ),
    "oidc": (
        {"options": {**OIDC, "manage_groups": True, "allowed_groups": ["hub"]}},
        "GenericOAuthenticator",
        "allowed_groups",
        ["hub"],
    ),
}


@pytest.fixture
def values() -> dict[str, Any]:
    return copy.deepcopy(complete(PROJECT, "pangeo", "prod"))


def asked(
    values: dict[str, Any], folder: Path, **question: Any
) -> subprocess.CompletedProcess[str]:
    """Run the hub's configuration of these values and answer a question about it."""
    (folder / "kubeconfig").write_text(json.dumps(NOWHERE))
    question["code"] = values["jupyterhub"]["hub"]["extraConfig"]["pangeo"]
    question["image"] = values["pangeo"]["image"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ASSETS / "python"),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "PANGEO_SETTINGS": json.dumps(values["pangeo"]),
        "OAUTH_CLIENT_ID": "an-id",
        "OAUTH_CLIENT_SECRET": "a-secret",
    }
    return subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps(question),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def told(values: dict[str, Any], folder: Path, **question: Any) -> dict[str, Any]:
    done = asked(values, folder, **question)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("provider", LOGINS)
def test_a_login_is_what_the_values_say(
    values: dict[str, Any], tmp_path: Path, provider: str
) -> None:
    over, name, trait, wanted = LOGINS[provider]
    values["pangeo"]["login"] |= {"provider": provider, "teams": [], **over}
    traits = ["oauth_callback_url", "client_id", "allow_all", "enable_auth_state", trait]
    names = ["ann", "ann@ucar.edu", "../root", "ann/bob"]
    found = told(values, tmp_path, traits=traits, names=names)
    assert found["class"] == name
    assert found["traits"][trait] == wanted
    assert found["traits"]["oauth_callback_url"] == "https://hub.example.org/hub/oauth_callback"
    assert found["traits"]["client_id"] == "an-id"
    assert found["traits"]["allow_all"] is False
    assert found["traits"]["enable_auth_state"] is True
    assert found["names"] == {
        "ann": True, "ann@ucar.edu": provider != "github", "../root": False, "ann/bob": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"alowed_groups": ["hub"]}, "GenericOAuthenticator has no alowed_groups"),
        ({"allowed_groups": 3}, "allowed_groups"),
    ],
)
def test_a_login_with_a_wrong_trait_does_not_start(
    values: dict[str, Any], tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    values["pangeo"]["login"] |= {"provider": "oidc", "options": {**OIDC, **options}}
    done = asked(values, tmp_path)
    assert done.returncode != 0
    assert why in done.stderr


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["spec"]["containers"]
    return dict(only)


def test_a_servers_pod_is_what_the_profile_says(values: dict[str, Any], tmp_path: Path) -> None:
    pod = told(values, tmp_path, user="ann", options={"profile": "small"})["pod"]
    profile = values["pangeo"]["profiles"][0]
    only = container(pod)
    environment = {one["name"]: one["value"] for one in only["env"]}
    assert only["image"] == values["pangeo"]["image"]
    assert environment["DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE"] == values["pangeo"]["image"]
    assert only["resources"]["requests"] == {
        "cpu": profile["cpu_guarantee"],
        "memory": profile["memory_guarantee_mib"] * 2**20,
    }
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert [mount["mountPath"] for mount in only["volumeMounts"]] == ["/home/jovyan"]


def test_a_name_that_is_an_address_is_escaped(values: dict[str, Any], tmp_path: Path) -> None:
    over, *_ = LOGINS["cilogon"]
    values["pangeo"]["login"] |= {"provider": "cilogon", "teams": [], **over}
    pod = told(values, tmp_path, user="ann@ucar.edu", options={})["pod"]
    assert pod["metadata"]["annotations"]["hub.jupyter.org/username"] == "ann@ucar.edu"
    for name in (pod["metadata"]["name"], container(pod)["volumeMounts"][0]["subPath"]):
        assert "@" not in name


@pytest.mark.parametrize(
    ("options", "image"),
    [
        ({}, ""),
        ({"software": "ml"}, ML),
        (
            {"software--unlisted-choice": FORGE},
            FORGE,
        ),
    ],
)
def test_people_choose_an_image(
    values: dict[str, Any], tmp_path: Path, options: dict[str, str], image: str
) -> None:
    ml = {
        "slug": "ml",
        "name": "Machine learning",
        "image": ML,
    }
    values["pangeo"]["software"] = {"images": [ml], "other": "quay.io/pangeo/[a-z-]+:[0-9.]+"}
    pod = told(values, tmp_path, user="ann", options={"profile": "small", **options})["pod"]
    assert container(pod)["image"] == (image or values["pangeo"]["image"])


def test_an_image_that_fits_no_pattern_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    values["pangeo"]["software"] = {"images": [], "other": "quay.io/pangeo/[a-z-]+:[0-9.]+"}
    options = {"profile": "small", "software--unlisted-choice": "evil.org/x:1"}
    done = asked(values, tmp_path, user="ann", options=options)
    assert done.returncode != 0
    assert "failed validation regex" in done.stderr


def test_a_profile_with_a_gpu_lands_where_gpus_are(values: dict[str, Any], tmp_path: Path) -> None:
    values["pangeo"]["profiles"][1]["gpus"] = 1
    pod = told(values, tmp_path, user="ann", options={"profile": "large"})["pod"]
    assert container(pod)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["spec"]["nodeSelector"]["pangeo.io/gpu"] == "true"
    tolerated = {one["key"] for one in pod["spec"]["tolerations"]}
    assert tolerated >= {"nvidia.com/gpu", "hub.jupyter.org/dedicated"}


@pytest.mark.parametrize("writes", [True, False])
def test_the_shared_folder_is_written_by_admins_alone(
    values: dict[str, Any], tmp_path: Path, writes: bool
) -> None:
    values["pangeo"]["homes"]["shared"] = "_shared"
    values["pangeo"]["login"]["admins"] = ["ann"] if writes else ["olga"]
    pod = told(values, tmp_path, user="ann", options={"profile": "small"})["pod"]
    home, shared = container(pod)["volumeMounts"]
    assert (shared["name"], shared["subPath"]) == (home["name"], "_shared")
    assert shared["mountPath"] == "/home/jovyan/shared"
    assert shared["readOnly"] is not writes
