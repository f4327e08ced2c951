"""Whose a line is: tags, pods, machines of several hubs, idle, commitments, unknown types.

Each test is a finding of a review with foreign bills: it fails on the code that the review saw.
"""

import csv
from decimal import Decimal

import pytest

from hub_costs.allocation.allocate import allocate
from hub_costs.allocation.pod_names import People, escaped, slug
from hub_costs.apportion import apportion
from hub_costs.bills.ingest import ingest
from hub_costs.usage.sessions import COLUMNS, OPTIONAL
from pangeo_core.errors import BadInput
from tests.conftest import PROJECT

from .bill_lines import cur, explorer, written


def session(user, kind="notebook", **changes):
    row = {
        "user": user,
        "hub": "prod",
        "kind": kind,
        "start": "2024-07-01T00:00:00Z",
        "end": "2024-07-01T01:00:00Z",
        "cpu_cores": "4",
        "memory_gib": "16",
        "node_type": "m5.xlarge",
        "capacity": "on-demand",
    }
    return row | changes


def split(pod, usd, unused="0", namespace="prod"):
    return cur(
        line_item_resource_id=f"arn:aws:eks:us-west-2:1:pod/cluster/{namespace}/{pod}/uid-{pod}",
        line_item_usage_type="USW2-EKS-EC2-vCPU-Hours",
        line_item_unblended_cost="0",
        split_line_item_parent_resource_id="i-1",
        split_line_item_split_cost=usd,
        split_line_item_unused_cost=unused,
    )


def machine(usd, type_="m5.xlarge", **changes):
    return cur(
        line_item_usage_type=f"USW2-BoxUsage:{type_}", line_item_unblended_cost=usd, **changes
    )


@pytest.fixture
def divide(tmp_path):
    """Allocate lines among sessions: {(owner, rule): amount}, and the allocation itself."""

    def run(lines, sessions, *, loaded=False, **options):
        table = ingest([written(tmp_path / "bill.csv", *lines)], tmp_path / "out").table
        path = tmp_path / "sessions.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*COLUMNS, *OPTIONAL])
            writer.writeheader()
            writer.writerows(sessions)
        result = allocate(table, path, **options)
        result = result.loaded() if loaded else result
        assert result.conserved
        return {(r["owner"], r["rule"]): r["amount"] for r in result.by("owner", "rule")}, result

    return run


# AWS's worked example of split cost allocation for EKS (CUR user guide): an m5.xlarge of 1 USD an
# hour, four pods; what each requested and used of cores and GiB.
PODS = {
    "pod1": ("1", "0.1", "4", "3"),
    "pod2": ("1", "1.9", "4", "6"),
    "pod3": ("1", "0.5", "2", "2"),
    "pod4": ("1", "0.5", "2", "2"),
}
EXAMPLE = [
    session(p, "dask-worker", cpu_cores=c, cpu_used_cores=uc, memory_gib=m, memory_used_gib=um)
    for p, (c, uc, m, um) in PODS.items()
]


def test_weights_aws_are_awss_split_cost_allocation_to_the_last_digit(divide):
    """Cores cost 36/52 of the machine, memory 16/52; allocated were 4.9 of 4 and 14 of 16 GiB."""
    found, _ = divide([machine("1")], EXAMPLE, weights="aws")
    for pod, cores, gib in (("pod1", "1", 4), ("pod2", "1.9", 6), ("pod3", "1", 2)):
        split_cost = (
            Decimal(36) / 52 * Decimal(cores) / Decimal("4.9") + Decimal(16) / 52 * gib / 16
        )
        assert abs(found[pod, "machine"] - split_cost) < Decimal("1e-11")
    assert abs(found["idle", "machine-idle"] - Decimal(16) / 52 * 2 / 16) < Decimal("1e-11")
    loaded, result = divide([machine("1")], EXAMPLE, weights="aws", loaded=True)
    each = {row["owner"]: str(round(row["amount"], 4)) for row in result.by("owner")}
    assert [each[pod] for pod in PODS] == ["0.2292", "0.4003", "0.1852", "0.1852"]
    assert sum(loaded.values()) == 1


# What OpenCost's method makes of the same machine and pods; book/howto-bill.md has these numbers.
OPENCOST = {"pod1": "0.2201", "pod2": "0.3833", "pod3": "0.1765", "pod4": "0.1765"}


def test_a_node_costs_the_sum_of_its_parts_at_the_ratio_of_their_prices():
    """OpenCost's specification, Appendix A: 35 USD; a GPU and a core at 30 USD, a GB at 10 USD."""
    assert apportion(35, [30, 30, 10]) == [15, 15, 5]


def test_weights_opencost_are_opencosts_specification_to_the_last_digit(divide):
    """Its specification: the greater of request and use (Workload Costs), a price for each resource
    in the ratio of the default prices (Appendix A; configs/default.json), what is left is idle.
    """
    cores, gib = Decimal("0.031611") * 4, Decimal("0.004237") * 16
    share = cores / (cores + gib)
    found, _ = divide([machine("1")], EXAMPLE, weights="opencost")
    for pod, (asked, used, gib_asked, gib_used) in PODS.items():
        allocated = max(Decimal(asked), Decimal(used)), max(Decimal(gib_asked), Decimal(gib_used))
        # 4.9 cores were allocated of 4: what there is is shared, and none is idle
        expected = share * allocated[0] / Decimal("4.9") + (1 - share) * allocated[1] / 16
        assert abs(found[pod, "machine"] - expected) < Decimal("1e-11")
        assert str(round(found[pod, "machine"], 4)) == OPENCOST[pod]
    # Cluster Idle Cost = Cluster Asset Costs - Workload Costs
    workloads = sum(found[pod, "machine"] for pod in PODS)
    assert found["idle", "machine-idle"] == 1 - workloads
    assert abs(found["idle", "machine-idle"] - (1 - share) * 2 / 16) < Decimal("1e-11")


def test_the_book_has_the_numbers_that_the_methods_give():
    page = (PROJECT / "book" / "howto-bill.md").read_text(encoding="utf-8")
    for usd in {*OPENCOST.values(), "0.0436"}:
        assert usd in page


def test_split_rows_carry_their_own_unused_part(divide):
    pods = [split("jupyter-ada", "0.60", "0.20"), split("jupyter-bob", "0.20")]
    lines = [machine("1"), *pods]
    found, _ = divide(lines, [session("ada"), session("bob")], loaded=True)
    assert found["ada", "split-unused/proportion"] == Decimal("0.20")
    assert ("bob", "split-unused/proportion") not in found


def test_a_default_tag_owner_does_not_take_the_bill(divide):
    """Terraform's usual default tags name who answers for a resource, not who used it."""
    owner = {"resource_tags_user_owner": "research-it", "resource_tags_user_node_purpose": ""}
    core = owner | {"resource_tags_user_node_purpose": "core"}
    cluster = {"line_item_product_code": "AmazonEKS", "line_item_unblended_cost": "0.10"}
    lines = [
        machine("2", line_item_resource_id="i-core", **core),
        machine("4", line_item_usage_amount="4", **owner),
        cur(line_item_usage_type="USW2-AmazonEKS-Hours:perCluster", **cluster, **owner),
    ]
    sessions = [session("ada"), session("bob", "dask-worker")]
    found, _ = divide(lines, sessions)
    assert found["ada", "machine"] == found["bob", "machine"] == 1
    assert found["shared", "core-machine"] == 2
    assert found["idle", "machine-idle"] == 2
    asked, result = divide(lines, sessions, owner_tags=["owner"])
    assert asked["research-it", "tag-not-a-user"] == Decimal("4.10")
    assert {row["kind"] for row in result.by("owner", "kind") if row["owner"] == "research-it"} == {
        "unallocated"
    }


def test_the_hubs_own_user_tag_names_a_user_however_it_is_written(divide):
    tag = {"resource_tags_user_hub_jupyter_org_username": slug("ada@example.org")}
    disk = cur(line_item_usage_type="EBS:VolumeUsage.gp3", line_item_resource_id="vol-1", **tag)
    found, _ = divide([disk], [session("ada@example.org")])
    assert found == {("ada@example.org", "direct-tag"): 1}


def test_the_pods_of_a_dask_cluster_are_their_users(divide):
    lines = [
        machine("10", line_item_usage_amount="10"),
        split("jupyter-ada", "1.00", "0.10"),
        split("dask-worker-3f2c9a-abcde", "6.00", "0.60"),
        split("dask-scheduler-3f2c9a", "1.00", "0.10"),
        split("hub-6b5d", "1.00", "0.20"),
    ]
    kinds = ("notebook", "dask-worker", "dask-scheduler")
    found, _ = divide(lines, [session("ada", kind) for kind in kinds])
    assert found == {
        ("ada", "split-pod"): 8,
        ("shared", "split-system"): 1,
        ("idle", "split-unused"): 1,
    }


def test_two_clusters_at_a_time_share_by_request_and_time_and_none_is_unallocated(divide):
    lines = [machine("8"), split("dask-worker-1-a", "8")]
    two = [session("ada", "dask-worker", memory_gib="12", cpu_cores="3"),
           session("bob", "dask-worker", memory_gib="4", cpu_cores="1")]  # fmt: skip
    found, _ = divide(lines, two)
    assert found == {("ada", "split-pod"): 6, ("bob", "split-pod"): 2}
    found, result = divide(lines, [session("ada")])
    assert found["Dask pods", "dask-without-session"] == 8
    assert any("Dask" in warning for warning in result.warnings)


def test_a_pod_of_a_cluster_that_sessions_name_is_its_users_alone(divide):
    """Dask-Gateway's records name the cluster, and so do its pods."""
    lines = [machine("8"), split("dask-worker-3f2c9a-abcde", "8")]
    two = [session("ada", "dask-worker", server="prod.3f2c9a"),
           session("bob", "dask-worker", server="prod.77aa00")]  # fmt: skip
    assert divide(lines, two)[0] == {("ada", "split-pod"): 8}


def test_a_binder_pod_belongs_to_the_launch_of_its_time(divide):
    lines = [machine("2"), split("jupyter-pangeo-data-tutorial-x7f3a9k2", "2")]
    launch = session("events-7", "binder", cpu_cores="1", memory_gib="2")
    assert divide(lines, [launch, session("ada")])[0] == {("events-7", "split-pod"): 2}


@pytest.mark.parametrize(
    "pod",
    [
        "jupyter-ada-40example-2eorg",
        "jupyter-ada-40example-2eorg--gpu",
        f"jupyter-{slug('ada@example.org')}",
        f"jupyter-{slug('ada@example.org', 'gpu')}",
        f"jupyter-{slug('ada@example.org')}--gpu",
    ],
)
def test_one_person_is_one_owner_whatever_the_pod_is_called(divide, pod):
    lines = [machine("4"), split(pod, "4"), cur(line_item_product_code="AmazonEFS",
             line_item_usage_type="TimedStorage-ByteHrs", line_item_resource_id="fs-1",
             line_item_unblended_cost="6")]  # fmt: skip
    homes = {"ada-40example-2eorg": 5}  # a home's folder is named as the pod
    found, _ = divide(lines, [session("ada@example.org")], homes=homes)
    assert {owner for owner, _ in found} == {"ada@example.org"}


def test_names_are_written_as_kubespawner_writes_them():
    """Values by KubeSpawner's own rules: kubespawner/slugs.py, and its test of 63 characters."""
    assert escaped("ada@example.org") == "ada-40example-2eorg"
    assert slug("grace-hopper") == "grace-hopper"
    assert slug("ada@example.org").startswith("ada-example-org---")
    assert len(slug("ada@example.org").rpartition("---")[2]) == 8
    assert slug("1st").startswith("x-1st---")
    people = People.of([("foo.co", ""), ("mary-jane", "")])
    for pod, user in (
        ("jupyter-foo-2eco", "foo.co"),
        ("jupyter-foo-2eco---0f3a", "foo.co"),
        ("jupyter-mary-2djane--", "mary-jane"),
        ("jupyter-mary-jane", "mary-jane"),
    ):
        assert (people.whose(pod).user, people.whose(pod).known) == (user, True)
    assert people.whose("jupyter-grace-hopper---1a2b3c4d").user == "grace-hopper---1a2b3c4d"
    assert people.whose("dask-worker-1-a").dask == "dask-worker"


def test_names_composed_in_two_ways_are_one_person(divide):
    lines = [machine("2", line_item_usage_amount="2")]
    two = [session("Zoe\u0308"), session("Zo\u00eb", "dask-worker")]
    assert divide(lines, two)[0] == {("Zo\u00eb", "machine"): 2}


def test_another_teams_machine_of_the_type_is_not_the_users(divide):
    lines = [
        machine("4.80", line_item_usage_amount="24"),
        cur(line_item_usage_type="EUC1-BoxUsage:m5.xlarge", line_item_usage_amount="24",
            line_item_resource_id="i-2", line_item_unblended_cost="9.60"),
    ]  # fmt: skip
    whole_day = session("ada", end="2024-07-02T00:00:00Z")
    found, result = divide(lines, [whole_day])
    assert found["ada", "machine"] == Decimal("4.80")
    assert found["other machines", "machine-elsewhere"] == Decimal("9.60")
    assert any("EUC1" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "tag", ["resource_tags_user_hub", "resource_tags_user_deployment", "tag_eks_cluster_name"]
)
def test_one_hubs_users_never_pay_another_hubs_machine(divide, tag):
    lines = [machine("1", **{tag: "pangeo-prod"}),
             machine("3", line_item_resource_id="i-2", **{tag: "pangeo-staging"})]  # fmt: skip
    found, result = divide(lines, [session("ada")], loaded=True)
    assert found["ada", "machine"] == 1
    assert sum(amount for (owner, _), amount in found.items() if owner != "ada") == 3
    assert any("another hub" in warning for warning in result.warnings)
    both = [session("ada"), session("bob", hub="staging")]
    found, _ = divide(lines, both)
    assert (found["ada", "machine"], found["bob", "machine"]) == (1, 3)


def test_a_machine_outside_the_cluster_is_no_ones_idle(divide):
    lines = [
        machine("2", line_item_usage_amount="2", tag_eks_cluster_name="c"),
        machine("5", "r5.large", line_item_resource_id="i-db", tag_eks_cluster_name=""),
    ]
    found, _ = divide(lines, [session("ada", hub="h")], loaded=True)
    assert found["other machines", "machine-elsewhere"] == 5
    assert sum(amount for (owner, _), amount in found.items() if owner == "ada") == 2


def test_the_region_and_account_of_a_group_are_the_lines_own(divide):
    """Two accounts' machines of one type are two groups."""
    lines = [machine("1", line_item_usage_account_id="1"),
             machine("2", line_item_usage_account_id="2", line_item_resource_id="i-2")]  # fmt: skip
    found, result = divide(lines, [session("ada")])
    assert found["ada", "machine"] == 1
    assert any("Tag machines with their hub" in warning for warning in result.warnings)


def test_idle_machines_go_to_who_used_machines_not_to_who_stores(divide):
    lines = [
        machine("100", line_item_usage_amount="24"),
        cur(line_item_product_code="AmazonEFS", line_item_usage_type="TimedStorage-ByteHrs",
            line_item_resource_id="fs", line_item_unblended_cost="100"),
    ]  # fmt: skip
    hour = session("ada", end="2024-07-01T01:12:00Z")
    homes = {"gone": 10**12, "ada": 10**9}
    found, _ = divide(lines, [hour], loaded=True, homes=homes)
    assert found["ada", "machine"] + found["ada", "machine-idle/proportion"] == 100
    assert {rule for owner, rule in found if owner == "gone"} == {"homes"}


PLAN = [
    machine("24", line_item_usage_amount="24", line_item_line_item_type="SavingsPlanCoveredUsage",
            line_item_usage_end_date="2024-07-02T00:00:00Z",
            savings_plan_savings_plan_effective_cost="14.40"),
    machine("-24", line_item_usage_amount="24", line_item_line_item_type="SavingsPlanNegation"),
    cur(line_item_line_item_type="SavingsPlanRecurringFee", line_item_unblended_cost="15",
        line_item_usage_type="ComputeSP:1yrNoUpfront", line_item_resource_id="",
        savings_plan_total_commitment_to_date="15", savings_plan_used_commitment="14.40"),
]  # fmt: skip


def test_a_savings_plan_is_spread_over_what_it_covers_where_asked_for(divide):
    day = session("ada", end="2024-07-02T00:00:00Z")
    found, result = divide(PLAN, [day], cost="amortised")
    assert found == {("ada", "machine"): Decimal("14.40"), ("shared", "commitment"): Decimal("0.6")}
    assert result.as_dict()["cost"] == "amortised"
    found, result = divide(PLAN, [day])
    assert (found["ada", "machine"], found["shared", "adjustment"]) == (24, -24)
    assert found["shared", "commitment"] == 15
    assert any("--cost amortised" in warning for warning in result.warnings)


def test_net_cost_is_after_discounts(divide):
    line = machine("4", line_item_net_unblended_cost="3")
    found, _ = divide([line], [session("ada")], cost="net")
    assert found == {("ada", "machine"): 3}


def test_a_cost_or_method_of_no_known_name_is_refused(divide):
    with pytest.raises(BadInput, match="no weights 'max'"):
        divide([machine("1")], [session("ada")], weights="max")
    with pytest.raises(BadInput, match="no cost 'blended'"):
        divide([machine("1")], [session("ada")], cost="blended")


# Types that the table of machines does not have, and such as there may be one day.
@pytest.mark.parametrize("name", ["dl1.24xlarge", "zz9.metal-24xl", "u99-77tb.224xlarge"])
def test_a_machine_of_unknown_size_is_a_group_of_its_own(divide, name):
    lines = [machine("1"), machine("30", name, line_item_resource_id="i-2")]
    found, result = divide(lines, [session("ada")])
    assert found["ada", "machine"] == 1
    assert found["machines of unknown size", "machine-unknown-size"] == 30
    assert any(name in warning for warning in result.warnings)


@pytest.mark.parametrize("name", ["hpc6a.48xlarge", "gr6.4xlarge", "mac2.metal", "p5.48xlarge"])
def test_a_type_is_read_whole(divide, name):
    """Not as the c6a, r6 or c2 that its name ends with."""
    lines = [machine("1"), machine("30", name, line_item_resource_id="i-2")]
    found, result = divide(lines, [session("ada")])
    assert found == {("ada", "machine"): 1, ("idle", "machine-idle"): 30}
    assert not result.warnings


@pytest.mark.parametrize(
    ("service", "usage", "rule"),
    [
        ("AWSSecretsManager", "USW2-AWSSecretsManager-Secrets", "key"),
        ("AWS Secrets Manager", "Secrets", "key"),
        ("AWSCostExplorer", "USE1-APIRequest", "monitoring"),
        ("AWS Cost Explorer", "USE1-APIRequest", "monitoring"),
        ("AmazonECR", "TimedStorage-ByteHrs", "registry"),
        ("AmazonEKS", "USW2-EKS-Auto:c6a.large", "control-plane"),
        ("Amazon Elastic Container Service for Kubernetes", "EKS-Hours", "control-plane"),
        ("AmazonEFS", "TimedStorage-ByteHrs", "homes"),
        ("AWSELB", "LoadBalancerUsage", "load-balancer"),
        ("AmazonS3", "TimedStorage-ByteHrs", "bucket"),
        ("awskms", "KMS-Keys", "key"),
    ],
)
def test_services_are_known_by_whole_names_and_by_codes(divide, service, usage, rule):
    line = cur(line_item_product_code=service, line_item_usage_type=usage)
    found, _ = divide([line], [])
    assert [r for _, r in found] in ([rule], [f"{rule}-unsized"])


def test_machines_of_which_cost_explorer_names_no_type_are_said(tmp_path):
    """Its answer by service sums machines up: no user, core node or idle can be told apart."""
    service = "Amazon Elastic Compute Cloud - Compute"
    days = [("2024-07-01", "2024-07-02", [service], "10"),
            ("2024-07-01", "2024-07-02", ["EC2 - Other"], "2")]  # fmt: skip
    group = {"Type": "DIMENSION", "Key": "SERVICE"}
    table = ingest([explorer(tmp_path / "a.json", *days, group_by=[group])], tmp_path / "out").table
    path = tmp_path / "sessions.csv"
    path.write_text(",".join(COLUMNS) + "\n")
    result = allocate(table, path)
    found = {row["rule"]: row["amount"] for row in result.by("rule")}
    assert found == {"machine-untyped": 10, "unknown": 2}
    assert any("does not name the types" in said for said in result.warnings)


def test_an_open_session_of_which_nothing_tells_the_length_is_said(divide):
    found, result = divide([machine("1")], [session("ada", end="")])
    assert found == {("idle", "machine-idle"): 1}
    ((row, why),) = result.rejected_sessions
    assert (row, why.split(":")[0]) == (2, "endless")


def test_an_open_session_ends_with_the_data(divide):
    """One without any known end gives no length to the others."""
    later = session("bob", start="2024-07-01T01:00:00Z", end="")
    found, result = divide([machine("1")], [session("ada", end=""), later])
    assert found == {("ada", "machine"): 1}
    assert len(result.rejected_sessions) == 1


def test_workers_that_are_there_twice_are_said_where_they_do_not_fit(divide):
    worker = session("ada", "dask-worker")
    found, result = divide([machine("1")], [worker, worker])
    assert found == {("ada", "machine"): 1}
    assert any("equal another one in everything: 1." in warning for warning in result.warnings)
    _, result = divide([machine("2", line_item_usage_amount="2")], [worker, worker])
    assert result.warnings == []


def test_a_use_in_millicores_does_not_take_the_whole_day(divide):
    """A session cannot use more than its machine has."""
    lines = [machine("24", line_item_usage_amount="24")]
    wrong = session("ada", cpu_cores="1", cpu_used_cores="1500", memory_gib="4")
    found, _ = divide(lines, [wrong, session("bob", cpu_cores="1", memory_gib="4")])
    assert found["ada", "machine"] < 1
    assert found["idle", "machine-idle"] > 22
