"""The repository's own Terraform against the stand-in: what an operator would see."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulated_aws import Account, json_documents, resource_lifecycle, schema
from emulated_aws.provider import Provider, Settings
from emulated_aws.resources import RESOURCES
from emulated_aws.resources.base import STEERING
from emulated_aws.resources.budgets import same_amount
from pangeo_core.errors import TerraformFailed

from .conftest import Rehearsal, flat, rehearse, use_repository

pytestmark = pytest.mark.slow

# Which attributes, beside the id, it takes to find a thing; and those that are Terraform's own.
FOUND_BY = {
    "aws_route": ("route_table_id", "destination_cidr_block"),
    "aws_vpc_security_group_ingress_rule": ("security_group_id",),
    "aws_vpc_security_group_egress_rule": ("security_group_id",),
    "aws_eks_pod_identity_association": ("cluster_name",),
    "aws_cloudwatch_event_target": ("event_bus_name", "rule", "target_id"),
}
# What is planned as 0 for a queue, SQS knows as 300: so it is with the real provider.
OF_TERRAFORM = {"timeouts", "tags", "type", "kms_data_key_reuse_period_seconds"}


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The production environment, with endpoints and NAT: every type of the two modules."""
    folder = tmp_path_factory.mktemp("prod")
    use_repository(folder)
    arguments = (
        "-var-file=environments/prod.tfvars",
        '-var=interface_endpoints=["sts", "ecr.api"]',
    )
    with rehearse(folder, *arguments) as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        rehearsal.actions = rehearsal.plan()  # type: ignore[attr-defined]
        rehearsal.promised = rehearsal.shown_plan()  # type: ignore[attr-defined]
        rehearsal.terraform.read("apply", "-input=false", "tfplan")
        yield rehearsal


def test_plan_lists_what_it_will_create(prod: Any) -> None:
    assert set(prod.actions.values()) == {"create"}
    types = {address.rpartition(".")[0].rpartition(".")[2] for address in prod.actions}
    assert {"aws_vpc", "aws_nat_gateway", "aws_efs_file_system", "aws_s3_bucket"} <= types
    assert len(prod.actions) == len(prod.state())


def test_behaviour_and_schema_cover_every_type_in_use(prod: Any) -> None:
    used = {values["type"] for values in prod.state().values()}
    # The bootstrap's types, and those of settings that prod does without, are not among the used.
    assert used <= set(schema.load().resources) == set(RESOURCES)


def test_second_plan_is_empty(prod: Rehearsal) -> None:
    assert prod.plan() == {}


def test_the_api_holds_what_the_plan_promised(prod: Any) -> None:
    """Read each thing from nothing but its id, and compare with every value the plan knew."""
    state, types = prod.state(), schema.load().resources
    planned = {change["address"]: change["change"] for change in prod.promised["resource_changes"]}
    provider = Provider(prod.account)
    tags = state["module.network.aws_vpc.this"]["tags_all"]
    default = Settings("us-west-2", {k: v for k, v in tags.items() if k != "Name"})
    compared = set()
    for address, values in state.items():
        name = values["type"]
        identity = {key: values[key] for key in ("id", *FOUND_BY.get(name, ()))}
        api = provider._api(types[name], default)
        found = resource_lifecycle.read(types[name], RESOURCES[name], api, default, identity)
        assert found is not None, address
        for attribute, promised in planned[address]["after"].items():
            steering = {*STEERING, *OF_TERRAFORM}
            if attribute not in steering and promised not in (None, [], ""):
                shown = found[attribute]
                if attribute in RESOURCES[name].documents:
                    assert json_documents.same_document(shown, promised), (address, attribute)
                else:
                    assert covers(shown, promised), (address, attribute, shown, promised)
                compared.add((name, attribute))
    assert {name for name, _ in compared} == {values["type"] for values in state.values()}


def covers(shown: Any, promised: Any) -> bool:
    """Tell whether `shown` has all that `promised` knew; lists may be sets, in another order."""
    if isinstance(promised, dict):
        return all(
            value in (None, "", []) or key in STEERING or covers(shown.get(key), value)
            for key, value in promised.items()
        )
    if isinstance(promised, list):  # None: an element known only after apply
        return len(shown) == len(promised) and all(
            wanted is None or any(covers(one, wanted) for one in shown) for wanted in promised
        )
    return bool(shown == promised) or same_amount(shown, promised)


def test_boto3_sees_what_terraform_made(prod: Any) -> None:
    state, client = prod.state(), prod.account.client
    vpc = state["module.network.aws_vpc.this"]
    shown = client("ec2").describe_vpcs(VpcIds=[vpc["id"]])["Vpcs"][0]
    assert shown["CidrBlock"] == "10.20.0.0/16"
    assert {tag["Key"]: tag["Value"] for tag in shown["Tags"]} == {
        "Name": "pangeo-prod",
        "project": "pangeo",
        "environment": "prod",
        "deployment": "pangeo-prod",
        "managed-by": "terraform",
    }
    nat = client("ec2").describe_nat_gateways()["NatGateways"]
    assert len(nat) == 1
    bucket = state['module.storage.aws_s3_bucket.this["scratch"]']["bucket"]
    rules = client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0]["Expiration"]["Days"] == 7
    system = client("efs").describe_file_systems()["FileSystems"][0]
    assert system["Encrypted"] is True
    assert system["NumberOfMountTargets"] == 3
    closed = client("ec2").describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": ["default"]},
            {"Name": "vpc-id", "Values": [vpc["id"]]},
        ]
    )["SecurityGroups"][0]
    assert closed["IpPermissions"] == closed["IpPermissionsEgress"] == []


def test_destroy_leaves_nothing_tagged(prod: Any) -> None:
    assert tagged(prod.account) != set()
    state = prod.terraform.folder.parent / "terraform.tfstate"
    before = state.read_bytes()
    prod.destroy()
    assert prod.state() == {}
    assert tagged(prod.account) == set()

    # A destroy killed before it wrote its state: each service has its own word for what is gone.
    state.write_bytes(before)
    assert set(prod.plan()) == set(prod.actions)


KINDS = {
    "vpcs": "Vpcs",
    "subnets": "Subnets",
    "internet_gateways": "InternetGateways",
    "nat_gateways": "NatGateways",
    "addresses": "Addresses",
    "route_tables": "RouteTables",
    "security_groups": "SecurityGroups",
    "vpc_endpoints": "VpcEndpoints",
    "network_interfaces": "NetworkInterfaces",
}


def tagged(account: Account) -> set[str]:
    """Return what is in the account and not AWS's own default, service by service."""
    ec2, found = account.client("ec2"), set()
    for kind, many in KINDS.items():
        for thing in getattr(ec2, f"describe_{kind}")()[many]:
            tags = {tag["Key"] for tag in thing.get("Tags") or thing.get("TagSet", ())}
            if "deployment" in tags and thing.get("State") != "deleted":
                found.add(f"{kind} {thing.get('VpcId')}")
    found |= {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    systems = account.client("efs").describe_file_systems()["FileSystems"]
    return found | {system["FileSystemId"] for system in systems}


VARIABLES = {
    "nat": st.sampled_from(["none", "single", "per_zone"]),
    "interface_endpoints": st.sets(st.sampled_from(["sts", "sqs", "ecr.api"])).map(sorted),
    "homes_zone": st.sampled_from([None, "us-west-2a", "us-west-2b"]),
    "homes_backup": st.booleans(),
    "homes_idle_days": st.sampled_from([1, 30, 90]),
    "scratch_days": st.integers(1, 90),
    "bills_are_removable": st.booleans(),
    "project": st.sampled_from(["pangeo", "other"]),
    "zones": st.sampled_from(["ab", "abc"]).map(
        lambda letters: {
            f"us-west-2{letter}": {
                "public_cidr": f"10.20.{16 * index}.0/20",
                "private_cidr": f"10.20.{64 + 32 * index}.0/19",
            }
            for index, letter in enumerate(letters)
        }
    ),
}


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.fixed_dictionaries({}, optional=VARIABLES), min_size=2, max_size=2))
def test_after_any_change_of_variables_the_second_plan_is_empty(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("changes")
    use_repository(folder)
    chosen = folder / "chosen.tfvars.json"
    arguments = ("-var-file=environments/prod.tfvars", f"-var-file={chosen}")
    with rehearse(folder, *arguments) as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        # Renaming a deployment that runs is refused by AWS too: its endpoints hold the old group.
        project = steps[0].get("project", "pangeo")
        for step in steps:
            chosen.write_text(json.dumps({**step, "project": project}))
            rehearsal.apply()
            assert rehearsal.plan() == {}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"vpc_cidr": "10.20.0.0/33"}, "vpc_cidr must be an IPv4 network"),
        ({"vpc_cidr": "10.20.1.0/16"}, "vpc_cidr must be an IPv4 network"),
        ({"vpc_cidr": "10.0.0.0/8"}, "vpc_cidr must be a /16 to a /20"),
        ({"vpc_cidr": "10.30.0.0/16"}, "zones: each public_cidr and private_cidr must lie inside"),
        ({"nat": "both"}, "nat must be none, single or per_zone"),
        (
            {"zones": {"us-west-2a": ["10.20.0.0/20", "10.20.64.0/19"]}},
            "zones must name two or three",
        ),
        (
            {
                "zones": {
                    "us-west-2a": ["10.20.0.0/20", "10.20.64.0/19"],
                    "us-west-2b": ["10.20.16.0/20", "10.20.80.0/20"],
                }
            },
            "may overlap another",
        ),
        (
            {
                "zones": {
                    "us-west-2a": ["10.20.0.0/20", "10.20.64.0/19"],
                    "us-west-2q": ["10.20.16.0/20", "10.20.96.0/19"],
                }
            },
            "zones: us-west-2q is not an availability zone",
        ),
        ({"homes_zone": "us-west-2q"}, "homes_zone: us-west-2q is none of the deployment's zones"),
        ({"homes_idle_days": 31}, "homes_idle_days must be one of"),
        ({"scratch_days": 0}, "scratch_days must be"),
        ({"project": "Pangeo"}, "project must be 3 to 16"),
        ({"interface_endpoints": ["s3"]}, "interface_endpoints: only services"),
        ({"kubernetes_version": "1.29"}, "kubernetes_version must be one that EKS supports"),
        ({"region": "us-nowhere-7"}, "invalid AWS Region: us-nowhere-7"),
        ({"account_id": "999999999999"}, "AWS account ID not allowed: 123456789012"),
    ],
)
def test_wrong_values_are_refused_by_name(
    repository: Rehearsal, variables: dict[str, Any], said: str
) -> None:
    if zones := variables.get("zones"):
        pairs = {zone: {"public_cidr": a, "private_cidr": b} for zone, (a, b) in zones.items()}
        variables = {"zones": pairs}
    chosen = repository.terraform.folder.parent / "chosen.tfvars.json"
    chosen.write_text(json.dumps(variables))
    with pytest.raises(TerraformFailed) as refusal:
        repository.terraform.read(
            "plan", "-input=false", "-var-file=environments/prod.tfvars", f"-var-file={chosen}"
        )
    assert said in flat(refusal.value.why)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("repository")
    use_repository(folder)
    with rehearse(folder) as rehearsal:
        rehearsal.terraform.read("init", "-input=false")
        yield rehearsal
