"""The charts of both environments are sound, and what is wrong in values is found."""

import copy
import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_costs.machines import fits, machine, room
from pangeo_core.errors import BadInput
from pangeo_deploy.charts import check as checks
from pangeo_deploy.charts import manifest_policy
from pangeo_deploy.charts.code import add_code, add_settings
from pangeo_deploy.charts.dependencies import declared
from pangeo_deploy.charts.render import kubernetes_version, render
from pangeo_deploy.charts.trees import at, merged
from pangeo_deploy.charts.values import CHARTS, complete, load, read
from tests.conftest import PROJECT, Cli

KUBERNETES = kubernetes_version(PROJECT)
OUTPUTS: dict[str, Any] = {
    "name": "pangeo-prod",
    "region": "us-west-2",
    "scratch_bucket": "pangeo-prod-scratch",
    "homes_volume": "fs-0123456789abcdef0::fsap-0123456789abcdef0",
    "tags": {"deployment": "pangeo-prod", "environment": "prod", "project": "pangeo"},
    "homes_zone": "us-west-2a",
    "binder_prefix": "123456789012.dkr.ecr.us-west-2.amazonaws.com/pangeo-prod/binder/",
    "alerts_topic": "arn:aws:sns:us-west-2:123456789012:pangeo-prod-alerts",
    "karpenter": {"queue": "q", "instance_profile": "p", "discovery_tag": "pangeo-prod"},
}


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_check_is_green(cli: Cli, environment: str) -> None:
    ran = cli("charts", "check", environment, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["ok"] is True
    assert ran.json["manifests"] > 8
    assert ran.json["findings"] == []


def test_examples_are_findings_where_people_reach_the_hub(cli: Cli) -> None:
    ran = cli("charts", "check", "prod", "--target", "aws", "--json")
    assert ran.code == 3
    assert {one["rule"] for one in ran.json["findings"]} == {"placeholders"}
    assert cli("charts", "check", "local", "--target", "kubernetes").code == 0


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_it_is_green_with_what_terraform_made(environment: str) -> None:
    for chart in CHARTS:
        skipped: list[str] = []
        values = complete(PROJECT, chart, environment, OUTPUTS)
        found, rendered = checks.check_chart(PROJECT, chart, values, skipped)
        assert found == []
        assert rendered is not None
    kinds = [one["kind"] for one in rendered.manifests]
    assert "PersistentVolume" in kinds  # homes exist once there is a file system


def test_terraform_has_the_outputs_that_the_values_are_taken_from() -> None:
    names = re.findall(r'^output "(\w+)"', (PROJECT / "terraform/outputs.tf").read_text(), re.M)
    if "karpenter" not in names:
        pytest.skip("terraform/ has no cluster yet")
    assert set(OUTPUTS) <= set(names)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_listed_keys_are_keys_of_the_charts(chart: str) -> None:
    """helm/known_keys.yaml stands in for the schemas in a plain clone."""
    listed = read(PROJECT / "helm" / "known_keys.yaml")[chart]
    names = {one["name"] for one in declared(PROJECT / "helm" / chart)}
    assert set(listed) <= names
    for name in names & set(listed):
        if schema := checks.schema_of(PROJECT, chart, name):
            wrong = list(checks.violations(chart, name, listed[name], schema))
            assert [one for one in wrong if "were unexpected" in one.message] == []


def test_alternatives_of_a_schema_are_told_apart_by_what_they_require() -> None:
    """As in JupyterHub's chart: a file's content is `data` or `stringData`, and not both."""
    alternatives = [{"required": ["b"]}, {"required": ["c"]}]
    schema = checks.partial({"required": ["a"], "oneOf": alternatives})
    assert list(checks.violations("pangeo", "", {"b": 1}, schema)) == []
    assert len(list(checks.violations("pangeo", "", {"b": 1, "c": 1}, schema))) == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's charts, to be changed."""
    ignored = shutil.ignore_patterns("charts")
    shutil.copytree(PROJECT / "helm", tmp_path / "helm", ignore=ignored)
    for folder in ("environments", "modules/cluster"):
        shutil.copytree(PROJECT / "terraform" / folder, tmp_path / "terraform" / folder)
    shutil.copy(PROJECT / "terraform" / "variables.tf", tmp_path / "terraform")
    return tmp_path


def change(project: Path, environment: str, path: str, value: object) -> None:
    file = project / "helm" / "environments" / f"{environment}.yaml"
    content = yaml.safe_load(file.read_text())
    *way, last = path.split(".")
    at(content, tuple(way))[last] = value
    file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    "path",
    [
        "pangeo.jupyterhub.culll",
        "pangeo.jupyterhub.hub.extraEnvs",
        "pangeo.dask-gateway.gateway.backendd",
        "pangeo.binderhub-service.dockerAPI",
        "support.prometheus.server.retain",
        "support.karpenter.replica",
        "support.grafana.side-car",
    ],
)
def test_a_misspelt_key_of_a_dependency_is_found_without_the_dependency(
    project: Path, path: str
) -> None:
    change(project, "prod", path, {})
    chart, _, where = path.partition(".")
    found = list(checks.unknown_keys(project, chart, "prod"))
    assert [(one.where, one.rule) for one in found] == [(where, "unknown key")]


def test_a_misspelt_chart_is_refused(project: Path) -> None:
    change(project, "prod", "panegeo.pangeo.url", "https://hub.ucar.edu")
    with pytest.raises(BadInput, match="panegeo is not a chart"):
        load(project, "pangeo", "prod")


def test_an_unknown_platform_is_refused(project: Path) -> None:
    change(project, "prod", "platform", "azure")
    with pytest.raises(BadInput, match="azure"):
        load(project, "pangeo", "prod")


def test_a_null_removes_what_our_values_and_the_dependency_set(project: Path) -> None:
    """Helm keeps a null where nothing stands under it, and puts back what stands under a gap."""
    worker = "dask-gateway.gateway.backend.worker.extraPodConfig"
    change(project, "prod", f"pangeo.{worker}.nodeSelector", None)
    change(project, "prod", "pangeo.jupyterhub.hub.services.binder", None)
    change(project, "prod", "pangeo.jupyterhub.hub.revisionHistoryLimit", None)
    change(project, "prod", "pangeo.jupyterhub.hub.readinessProbe", None)
    defaults = project / "helm" / "pangeo" / "charts" / "jupyterhub" / "values.yaml"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("hub: {readinessProbe: {enabled: true}}")
    values = complete(project, "pangeo", "prod", OUTPUTS)
    assert "nodeSelector" not in at(values, tuple(worker.split(".")))
    assert "binder" not in values["jupyterhub"]["hub"]["services"]
    assert values["jupyterhub"]["hub"]["readinessProbe"] is None  # for Helm to remove
    assert "revisionHistoryLimit" not in values["jupyterhub"]["hub"]


def test_settings_that_both_a_chart_and_our_code_know_are_the_same_in_both() -> None:
    values = load(PROJECT, "pangeo", "prod")
    values["pangeo"]["limits"]["start_seconds"] = 900
    values["pangeo"]["dask"] |= {"scheduler_memory_gib": 8, "scheduler_cores": 1}
    add_settings(values)
    scheduler = values["dask-gateway"]["gateway"]["backend"]["scheduler"]
    assert values["jupyterhub"]["singleuser"]["startTimeout"] == 900
    assert scheduler["memory"] == {"request": "8G", "limit": "8G"}
    assert scheduler["cores"]["request"] == 1


def test_binder_is_off_unless_it_is_one_of_the_services() -> None:
    for environment in ("staging", "prod"):
        values = complete(PROJECT, "pangeo", environment, OUTPUTS)
        assert values["binderhub-service"]["enabled"] is False
        assert "binder" not in values["jupyterhub"]["hub"]["services"]


def test_binder_is_logged_in_to_on_an_origin_of_its_own() -> None:
    """The hub compares the redirect literally, and knows a service's origin and path by itself."""
    values = load(PROJECT, "pangeo", "prod")
    values["pangeo"] |= {"subdomains": True, "services": ["dask-gateway", "binder"]}
    add_code(values, PROJECT / "helm" / "files")
    service, hub = values["binderhub-service"], values["jupyterhub"]
    told = {one["name"]: one.get("value") for one in service["extraEnv"]}
    assert service["enabled"] is True
    assert told["JUPYTERHUB_HOST"] == "https://hub.example.org"
    assert told["JUPYTERHUB_OAUTH_CALLBACK_URL"] == (
        "https://binder--service.hub.example.org/services/binder/oauth_callback"
    )
    assert "oauth_redirect_uri" not in hub["hub"]["services"]["binder"]
    assert "--host-routing" in hub["proxy"]["chp"]["extraCommandLineFlags"]


def test_homes_on_aws_are_an_access_point_and_stay_with_the_file_system() -> None:
    rendered = render(PROJECT, "pangeo", complete(PROJECT, "pangeo", "prod", OUTPUTS))
    made = {one["kind"]: one for one in rendered.manifests if "homes" in one["metadata"]["name"]}
    assert made["PersistentVolume"]["spec"]["csi"]["volumeHandle"] == OUTPUTS["homes_volume"]
    assert made["PersistentVolume"]["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    # A claim that outlived its volume would keep the next installation waiting for ever.
    assert "annotations" not in made["PersistentVolumeClaim"]["metadata"]


def test_karpenters_machines_carry_the_deployments_tags() -> None:
    rendered = render(PROJECT, "support", complete(PROJECT, "support", "prod", OUTPUTS))
    classes = [one for one in rendered.manifests if one["kind"] == "EC2NodeClass"]
    assert {one["metadata"]["name"] for one in classes} == {"users", "dask"}
    for one in classes:
        assert OUTPUTS["tags"].items() <= one["spec"]["tags"].items()


def test_nobodys_node_expires() -> None:
    rendered = render(PROJECT, "support", complete(PROJECT, "support", "prod", OUTPUTS))
    pools = {
        one["metadata"]["name"]: one for one in rendered.manifests if one["kind"] == "NodePool"
    }
    assert pools["users"]["spec"]["template"]["spec"]["expireAfter"] == "Never"


def test_the_environment_of_ones_own_cluster_needs_nothing_of_aws() -> None:
    found = checks.check(PROJECT, "local")
    assert found.ok, found.findings
    text = json.dumps([complete(PROJECT, chart, "local") for chart in CHARTS])
    for word in ('"karpenter.sh/', "ebs.csi", "efs.csi", "aws-load-balancer", '"pangeo.io/pool": '):
        assert word not in text.replace('"nodeSelector": {"pangeo.io/pool": "core"}', "", 1)


def test_the_local_login_is_refused_where_others_reach_it() -> None:
    values = complete(PROJECT, "pangeo", "local")
    assert "login" not in {rule for rule, _ in manifest_policy.values_rules("pangeo", values)}
    values["pangeo"]["url"] = "https://hub.ucar.edu"
    assert "login" in {rule for rule, _ in manifest_policy.values_rules("pangeo", values)}


def test_render_writes_manifests_and_values(cli: Cli, tmp_path: Path) -> None:
    assert cli("charts", "render", "prod", "--out", str(tmp_path)).code == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "pangeo.values.yaml",
        "pangeo.yaml",
        "support.values.yaml",
        "support.yaml",
    ]
    values = yaml.safe_load((tmp_path / "pangeo.values.yaml").read_text())
    assert "username_pattern" in values["jupyterhub"]["hub"]["extraConfig"]["pangeo"]
    manifests = list(yaml.safe_load_all((tmp_path / "support.yaml").read_text()))
    pools = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "NodePool"}
    assert set(pools) == {"users", "dask"}


def test_the_settings_reach_every_chart_as_the_hub_reads_them() -> None:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    told = [
        values["jupyterhub"]["hub"]["extraEnv"]["PANGEO_SETTINGS"],
        values["dask-gateway"]["gateway"]["env"][0]["value"],
        values["binderhub-service"]["extraEnv"][-1]["value"],
    ]
    assert [json.loads(one) for one in told] == [values["pangeo"]] * 3
    assert values["pangeo"]["scratch"]["bucket"] == "pangeo-prod-scratch"


BROKEN: dict[str, tuple[str, Any]] = {
    "login": ("pangeo.login.teams", []),
    "url": ("pangeo.url", ""),
    "culling": ("jupyterhub.cull.enabled", True),
    "metadata address": ("jupyterhub.singleuser.networkPolicy.enabled", False),
    "dask": ("pangeo.dask.worker_cores", 64),
    "spot": ("dask-gateway.gateway.backend.scheduler.extraPodConfig.nodeSelector", {}),
    "packing": ("pangeo.profiles.0.memory_guarantee_mib", 9000),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_decision_that_is_undone_is_found(rule: str) -> None:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    put(values, *BROKEN[rule])
    assert rule in {found for found, _ in manifest_policy.values_rules("pangeo", values)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("jupyterhub.hub.config.DummyAuthenticator.password", "x"),
        ("jupyterhub.hub.config.JupyterHub.authenticator_class", "dummy"),
        ("jupyterhub.hub.extraConfig.zz-own", "c.JupyterHub.authenticator_class = 'dummy'"),
    ],
)
def test_no_other_login_gets_past_the_checks(path: str, value: str) -> None:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    put(values, path, value)
    assert "login" in {found for found, _ in manifest_policy.values_rules("pangeo", values)}


IDP = "https://idp.ucar.edu/shibboleth"
BY_ADDRESS = {"username_derivation": {"username_claim": "email"}}
OIDC = {key: f"https://id.ucar.edu/{key}" for key in ("authorize_url", "token_url", "userdata_url")}
LOGINS: dict[str, dict[str, Any]] = {
    "a domain of one provider": {
        "provider": "cilogon",
        "options": {"idps": {IDP: {**BY_ADDRESS, "allowed_domains": ["ucar.edu"]}}},
    },
    "people by name": {
        "provider": "cilogon",
        "options": {"idps": {IDP: BY_ADDRESS}},
        "users": ["ann@ucar.edu"],
    },
    "a group": {
        "provider": "oidc",
        "options": {**OIDC, "manage_groups": True, "allowed_groups": ["hub"]},
    },
}


def with_login(over: dict[str, Any]) -> dict[str, Any]:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    put(values, "pangeo.login", {**values["pangeo"]["login"], "teams": [], **over})
    return values


@pytest.mark.parametrize("login", LOGINS)
def test_people_may_log_in_elsewhere_than_at_github(login: str) -> None:
    found, rendered = checks.check_chart(PROJECT, "pangeo", with_login(LOGINS[login]), [])
    assert found == []
    assert rendered


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ({"provider": "cilogon"}, "needs pangeo.login.options.idps"),
        ({"provider": "cilogon", "options": {"idps": {IDP: BY_ADDRESS}}}, "nobody may log in"),
        ({"provider": "cilogon", **LOGINS["a group"], "teams": ["pangeo-data"]}, "are GitHub's"),
        ({"provider": "oidc", "options": OIDC}, "nobody may log in"),
        ({"provider": "oidc", "options": {**OIDC, "allowed_groups": ["hub"]}}, "manage_groups"),
        ({"provider": "oidc", "users": ["ann"]}, "needs pangeo.login.options.authorize_url"),
    ],
)
def test_a_login_that_lets_nobody_in_or_is_incomplete_is_found(
    login: dict[str, Any], told: str
) -> None:
    found = manifest_policy.values_rules("pangeo", with_login(login))
    assert [message for rule, message in found if rule == "login" and told in message]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pangeo.login.options", {"client_secret": "not here"}),
        ("pangeo.login.options", {"allow_all": True}),
        ("pangeo.login.options", {"idps": {"ucar.edu": {}}}),
        ("pangeo.login.provider", "dummy"),
        ("pangeo.dask.idle_timeout_seconds", 0),
        ("pangeo.image", "quay.io/pangeo/pangeo-notebook:latest"),
        ("pangeo.image", "quay.io/pangeo/pangeo-notebook"),
        ("pangeo.url", "http://hub.example.org"),
        ("pangeo.login.admins", ["../root"]),
        ("pangeo.surprise", 1),
        ("pangeo.culling.max_age_seconds", "12h"),
    ],
)
def test_values_outside_our_schema_are_refused(path: str, value: object) -> None:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    put(values, path, value)
    found, rendered = checks.check_chart(PROJECT, "pangeo", values, [])
    assert rendered is None
    assert [one.rule for one in found] == ["schema"]
    with pytest.raises(BadInput):  # Helm refuses them too
        render(PROJECT, "pangeo", values)


POD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "one"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "c",
                        "image": "example.org/image:1",
                        "ports": [{"containerPort": 80}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                        "securityContext": {"allowPrivilegeEscalation": False},
                        "resources": {
                            "requests": {"cpu": "1", "memory": "1Gi"},
                            "limits": {"memory": "1Gi"},
                        },
                    }
                ],
            },
        },
    },
}
CONTAINER = "spec.template.spec.containers.0"


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("limits", f"{CONTAINER}.resources.limits", {}),
        ("limits", f"{CONTAINER}.resources.requests", {"cpu": "1"}),
        ("probes", f"{CONTAINER}.readinessProbe", None),
        ("privileges", f"{CONTAINER}.securityContext.privileged", True),
        ("privileges", f"{CONTAINER}.securityContext.allowPrivilegeEscalation", None),
        ("privileges", "spec.template.spec.hostNetwork", True),
        ("seccomp", "spec.template.spec.securityContext", {}),
        ("images", f"{CONTAINER}.image", "example.org:5000/image"),
        ("images", f"{CONTAINER}.image", "image:latest"),
        ("kubernetes", f"{CONTAINER}.resource", {}),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_found(rule: str, path: str, value: object) -> None:
    assert list(checks.against_rules(POD, KUBERNETES, own=True)) == []
    broken = copy.deepcopy(POD)
    put(broken, path, value)
    assert {found for found, _ in checks.against_rules(broken, KUBERNETES, own=True)} == {rule}


@pytest.mark.parametrize("slug", ["small", "large"])
def test_profiles_fill_the_node_they_are_made_for(slug: str) -> None:
    values = load(PROJECT, "pangeo", "prod")["pangeo"]
    profile = next(one for one in values["profiles"] if one["slug"] == slug)
    share, asked = profile["node"]["share"], profile["memory_guarantee_mib"]
    cores = Decimal(str(profile["cpu_guarantee"]))
    for pool in load(PROJECT, "support", "prod")["pools"].values():
        for name in pool["shapes"] if pool["purpose"] == "user" else ():
            assert fits(machine(name), cores, Decimal(asked)) == share
            assert 1 - asked * share / room(machine(name)).memory_mib < Decimal("0.02")


def test_a_null_removes_a_value_as_in_helm() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(base, {"a": {"b": None}, "d": [2]}) == {"a": {"c": 2}, "d": [2]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


def put(values: Any, path: str, value: Any) -> None:
    """Set (or, for None, remove) what a dotted path names."""
    *way, last = path.split(".")
    for key in way:
        values = values[int(key)] if isinstance(values, list) else values.setdefault(key, {})
    if value is None:
        values.pop(last, None)
    else:
        values[int(last) if isinstance(values, list) else last] = value


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38})", fullmatch=True)
OVER = st.fixed_dictionaries(
    {},
    optional={
        "url": st.sampled_from(["https://hub.example.org", "https://x.y", "http://no", "https://"]),
        "login": st.fixed_dictionaries(
            {},
            optional={
                "users": st.lists(NAMES | st.text(max_size=5), max_size=3),
                "admins": st.lists(NAMES, max_size=3, unique=True),
                "teams": st.lists(st.sampled_from(["org", "org:team", "a b", ""]), max_size=2),
            },
        ),
        "image": st.sampled_from(["a/b:1", "a:latest", "registry.example.org:5000/a:v1", "A B"]),
        "scratch": st.fixed_dictionaries({"bucket": st.text("ab-.{}\"'", max_size=8)}),
        "homes": st.fixed_dictionaries(
            {"file_system": st.sampled_from(["", "fs-0123abcd::fsap-0123abcd", "fs-0123abcd", "x"])}
        ),
        "limits": st.fixed_dictionaries({"servers": st.integers(-1, 9000)}),
        "binder": st.fixed_dictionaries({"banned": st.lists(st.text(max_size=10), max_size=2)}),
        "dask": st.fixed_dictionaries(
            {},
            optional={
                "idle_timeout_seconds": st.integers(0, 90000),
                "worker_memory_gib": st.floats(0, 20, allow_nan=False),
                "quota": st.fixed_dictionaries({"pods": st.integers(0, 500)}),
            },
        ),
    },
)


JANITOR = st.fixed_dictionaries(
    {},
    optional={
        "schedule": st.sampled_from(["*/5 * * * *", "0 3 * * 1-5", "hourly", "5", "* * * * *\n"]),
        "image": st.sampled_from(["a/b:1", "a:latest", "a b"]),
    },
)
POOLS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True) | st.sampled_from(["Users", "-x", ""]),
    st.fixed_dictionaries(
        {
            "purpose": st.sampled_from(["user", "worker", "other"]),
            "capacity": st.lists(st.sampled_from(["on-demand", "spot"]), max_size=2, unique=True),
            "shapes": st.lists(
                st.sampled_from(["m5.large", "r7i.2xlarge", "c6i", "'"]), max_size=3
            ),
            "limits": st.fixed_dictionaries(
                {"cpu": st.integers(0, 30000), "memory_gib": st.integers(1, 4000)}
            ),
            "empty_after": st.sampled_from(["10m", "30s", "0s", "soon"]),
            "disk_gib": st.integers(10, 2100),
        }
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def own_charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts without their dependencies, which a clone that has deployed holds."""
    project = tmp_path_factory.mktemp("own")
    shutil.copytree(PROJECT / "helm", project / "helm", ignore=shutil.ignore_patterns("charts"))
    (project / "terraform").symlink_to(PROJECT / "terraform")
    return project


def accepted_renders(project: Path, chart: str, over: dict[str, Any]) -> bool:
    """Tell whether the checks accept the values; what they accept must render, and validly."""
    values = merged(load(PROJECT, chart, "prod"), over)
    if chart == "pangeo":
        add_code(values, PROJECT / "helm" / "files")
    own = json.loads((PROJECT / "helm" / chart / "values.schema.json").read_bytes())
    if list(checks.violations(chart, "", values, own)):
        return False
    for manifest in render(project, chart, values).manifests:
        assert list(checks.against_rules(manifest, KUBERNETES, own=True)) == []
    return True


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(over=OVER, janitor=JANITOR)
def test_values_that_are_accepted_render_to_valid_manifests(
    own_charts: Path, over: dict[str, Any], janitor: dict[str, Any]
) -> None:
    accepted_renders(own_charts, "pangeo", {"pangeo": over, "janitor": janitor})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pools=POOLS)
def test_pools_that_are_accepted_render_to_valid_manifests(
    own_charts: Path, pools: dict[str, Any]
) -> None:
    accepted_renders(own_charts, "support", {"pools": pools})


def test_the_property_is_not_empty(own_charts: Path) -> None:
    assert accepted_renders(own_charts, "pangeo", {"janitor": {"schedule": "0 3 * * *"}})
    assert accepted_renders(own_charts, "support", {})
    assert not accepted_renders(own_charts, "support", {"pools": {"Users": {}}})


def lets_in(policy: dict[str, Any], labels: dict[str, str], port: int) -> bool:
    """Tell whether a pod of these labels reaches the policy's pods at a TCP port.

    As Kubernetes reads NetworkPolicies (networking.k8s.io/v1): one rule that fits is enough, no
    `ports` are all of them, and `endPort` is the last of a range.
    """

    def is_from(peer: dict[str, Any]) -> bool:
        selector = peer["podSelector"]
        same = all(labels.get(key) == one for key, one in selector["matchLabels"].items())
        return same and all(
            labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
        )

    def is_at(one: dict[str, Any]) -> bool:
        return bool(one["port"] <= port <= one.get("endPort", one["port"]))

    return any(
        any(is_from(peer) for peer in rule["from"])
        and ("ports" not in rule or any(is_at(one) for one in rule["ports"]))
        for rule in policy["spec"]["ingress"]
    )


def test_a_dashboard_is_reached_through_the_gateway_alone() -> None:
    values = complete(PROJECT, "pangeo", "prod", OUTPUTS)
    _, rendered = checks.check_chart(PROJECT, "pangeo", values, [])
    assert rendered is not None
    (policy,) = (
        one
        for one in rendered.manifests
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "dask"
    )

    def part(component: str) -> dict[str, str]:  # labels of the gateway's pods
        return {
            "app.kubernetes.io/name": "dask-gateway",
            "app.kubernetes.io/component": component,
        }

    for stranger in ("dask-worker", "dask-scheduler"):
        assert not lets_in(policy, part(stranger), 8787)
        for port in (8786, 8788, 40000, 1024, 65535):  # tasks and data go on
            assert lets_in(policy, part(stranger), port)
    for own in ("traefik", "gateway", "controller"):
        assert lets_in(policy, part(own), 8787)
        assert lets_in(policy, part(own), 8786)
    server = {"app.kubernetes.io/name": "jupyterhub", "component": "singleuser-server"}
    assert not lets_in(policy, server, 8787)
