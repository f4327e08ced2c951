"""How the stand-in behaves towards Terraform, on small configurations."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Response

from emulated_aws.api_requests import read_request
from emulated_aws.moto_app import World
from pangeo_core.errors import TerraformFailed

from .conftest import Rehearsal, flat, rehearse

Start = Callable[[str], Rehearsal]

VPC = """
resource "aws_vpc" "this" {
  cidr_block           = "10.1.0.0/16"
  enable_dns_hostnames = %s
  tags                 = { Name = "%s" }
}
resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "%s"
}
"""


def the_vpc(rehearsal: Rehearsal) -> dict[str, Any]:
    found = rehearsal.account.client("ec2").describe_vpcs(
        Filters=[{"Name": "cidr", "Values": ["10.1.0.0/16"]}]
    )["Vpcs"]
    assert len(found) == 1
    return found[0]


def test_change_in_place_replacement_and_drift(small: Start) -> None:
    rehearsal = small(VPC % ("false", "one", "10.1.0.0/24"))
    rehearsal.apply()
    assert rehearsal.plan() == {}
    vpc, ec2 = the_vpc(rehearsal), rehearsal.account.client("ec2")
    before = rehearsal.state()

    rehearsal.hcl(VPC % ("true", "two", "10.1.0.0/24"))
    assert rehearsal.plan() == {"aws_vpc.this": "update"}
    rehearsal.apply()
    assert the_vpc(rehearsal)["VpcId"] == vpc["VpcId"]
    assert {"Key": "Name", "Value": "two"} in the_vpc(rehearsal)["Tags"]
    dns = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute="enableDnsHostnames")
    assert dns["EnableDnsHostnames"]["Value"] is True

    rehearsal.hcl(VPC % ("true", "two", "10.1.9.0/24"))
    assert rehearsal.plan() == {"aws_subnet.this": "delete+create"}
    change = next(
        c for c in rehearsal.shown_plan()["resource_changes"] if c["type"] == "aws_subnet"
    )
    assert change["change"]["replace_paths"] == [["cidr_block"]]
    rehearsal.apply()
    after = rehearsal.state()
    assert after["aws_subnet.this"]["id"] != before["aws_subnet.this"]["id"]

    ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "Name", "Value": "other"}])
    ec2.delete_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "project"}])
    ec2.delete_subnet(SubnetId=after["aws_subnet.this"]["id"])
    assert rehearsal.plan() == {"aws_vpc.this": "update", "aws_subnet.this": "create"}
    drift = {
        change["address"]: change["change"] for change in rehearsal.shown_plan()["resource_drift"]
    }
    assert drift["aws_vpc.this"]["after"]["tags_all"] == {"Name": "other"}
    assert drift["aws_subnet.this"]["actions"] == ["delete"]
    rehearsal.apply()
    assert rehearsal.plan() == {}
    tags = {tag["Key"]: tag["Value"] for tag in the_vpc(rehearsal)["Tags"]}
    assert tags == {"Name": "two", "project": "test"}


def test_replacing_what_others_depend_on_replaces_them(small: Start) -> None:
    rehearsal = small(VPC % ("true", "one", "10.1.0.0/24"))
    rehearsal.apply()
    rehearsal.hcl(VPC.replace("10.1.0.0/16", "10.2.0.0/16") % ("true", "one", "10.2.0.0/24"))
    assert set(rehearsal.plan().values()) == {"delete+create"}
    rehearsal.apply()
    assert rehearsal.plan() == {}


def test_values_are_unknown_until_apply(small: Start) -> None:
    rehearsal = small(
        VPC % ("true", "one", "10.1.0.0/24") + 'output "id" { value = aws_vpc.this.id }'
    )
    rehearsal.plan()
    shown = rehearsal.shown_plan()
    changes = {change["type"]: change["change"] for change in shown["resource_changes"]}
    unknown = changes["aws_vpc"]["after_unknown"]
    assert {"id", "arn", "main_route_table_id", "owner_id"} <= {
        k for k, v in unknown.items() if v is True
    }
    assert changes["aws_vpc"]["after"]["instance_tenancy"] == "default"
    assert changes["aws_vpc"]["after"]["tags_all"] == {"Name": "one", "project": "test"}
    assert changes["aws_vpc"]["after"]["region"] == "us-west-2"
    assert changes["aws_subnet"]["after_unknown"]["vpc_id"] is True


def test_a_resource_may_live_in_another_region(small: Start) -> None:
    rehearsal = small(
        'resource "aws_vpc" "this" {\n cidr_block = "10.1.0.0/16"\n region = "eu-west-1"\n}'
    )
    rehearsal.apply()
    assert rehearsal.plan() == {}
    found = rehearsal.account.client("ec2", "eu-west-1").describe_vpcs()["Vpcs"]
    assert "10.1.0.0/16" in {vpc["CidrBlock"] for vpc in found}
    rehearsal.hcl('resource "aws_vpc" "this" {\n cidr_block = "10.1.0.0/16"\n}')
    assert rehearsal.plan() == {}  # computed: it stays where it is
    rehearsal.hcl(
        'resource "aws_vpc" "this" {\n cidr_block = "10.1.0.0/16"\n region = "us-west-2"\n}'
    )
    assert rehearsal.plan() == {"aws_vpc.this": "delete+create"}


@pytest.mark.parametrize(
    ("hcl", "said"),
    [
        (
            'resource "aws_vpc" "x" { cidr_blok = "10.0.0.0/16" }',
            'An argument named "cidr_blok" is not expected here',
        ),
        (
            'resource "aws_subnet" "x" { cidr_block = "10.0.0.0/24" }',
            'The argument "vpc_id" is required',
        ),
        ('resource "aws_vpc" "x" { cidr_block = "10.0.0.1/16" }', "10.0.0.1/16 has host bits set"),
        (
            'resource "aws_efs_file_system" "x" {\n'
            ' lifecycle_policy {\n transition_to_ia = "NEVER"\n }\n}',
            'lifecycle_policy.transition_to_ia: expected one of ["AFTER_7_DAYS"',
        ),
        (
            'resource "aws_s3_bucket_policy" "x" {\n bucket = "b"\n policy = "not json"\n}',
            "policy: contains an invalid JSON",
        ),
        (
            f'resource "aws_s3_bucket" "x" {{ bucket = "{"b" * 64}" }}',
            "bucket: expected length to be in the range (0 - 63)",
        ),
        (
            'resource "aws_vpc_security_group_ingress_rule" "x" {\n security_group_id = "sg-1"\n'
            ' ip_protocol = "tcp"\n cidr_ipv4 = "10.0.0.0/8"\n cidr_ipv6 = "::/0"\n}',
            "exactly one of cidr_ipv4, cidr_ipv6, prefix_list_id, referenced_security_group_id",
        ),
        ('resource "aws_none" "x" {}', 'does not support resource type "aws_none"'),
    ],
)
def test_wrong_configurations_are_refused(validating: Rehearsal, hcl: str, said: str) -> None:
    validating.hcl(hcl)
    with pytest.raises(TerraformFailed) as refusal:
        validating.terraform.read("validate")
    assert said in flat(refusal.value.why)


@pytest.fixture(scope="module")
def validating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearse(tmp_path_factory.mktemp("validating")) as rehearsal:
        rehearsal.hcl("")
        rehearsal.terraform.read("init", "-input=false")
        yield rehearsal


POLICY = """
resource "aws_s3_bucket" "this" {
  bucket = "the-bucket"
}
resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = %s
}
"""


def test_policies_are_compared_by_what_they_say(small: Start) -> None:
    def policy(actions: Any, indent: int | None = None) -> str:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": actions,
            "Resource": ["arn:aws:s3:::the-bucket"],
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        return json.dumps(json.dumps(document, indent=indent))

    rehearsal = small(POLICY % policy(["s3:GetObject", "s3:PutObject"]))
    rehearsal.apply()
    rehearsal.hcl(POLICY % policy(["s3:PutObject", "s3:GetObject"], indent=4))
    assert rehearsal.plan() == {}
    rehearsal.hcl(POLICY % policy("s3:GetObject"))
    assert rehearsal.plan() == {"aws_s3_bucket_policy.this": "update"}
    rehearsal.account.client("s3").delete_bucket_policy(Bucket="the-bucket")
    assert rehearsal.plan() == {"aws_s3_bucket_policy.this": "create"}


DOCUMENT = """
data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject", "s3:ListBucket"]
    resources = ["arn:aws:s3:::b"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["1"]
    }
  }
  statement {
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["a", "b"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
output "json" { value = data.aws_iam_policy_document.this.json }
"""


def test_policy_documents_are_written_as_the_real_provider_does(small: Start) -> None:
    rehearsal = small(DOCUMENT)
    rehearsal.apply()
    written = json.loads(json.loads(rehearsal.terraform.read("output", "-json", "json")))
    # The form of the example in the data source's documentation (registry, hashicorp/aws).
    assert written == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["s3:ListBucket", "s3:GetObject"],
                "Resource": "arn:aws:s3:::b",
                "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
            },
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["b", "a"]},
        ],
    }


RULE = """
resource "aws_security_group" "this" {
  name = "group"
}
resource "aws_vpc_security_group_ingress_rule" "this" {
  security_group_id = aws_security_group.this.id
  ip_protocol       = "tcp"
  description       = "%s"
  from_port         = %d
  to_port           = 443
  %s
}
"""


def test_rules_change_in_place_but_not_the_kind_of_source(small: Start) -> None:
    rehearsal = small(RULE % ("first", 80, 'cidr_ipv4 = "10.0.0.0/8"'))
    rehearsal.apply()
    identity = rehearsal.state()["aws_vpc_security_group_ingress_rule.this"]["id"]
    rehearsal.hcl(RULE % ("second", 443, 'cidr_ipv4 = "10.0.0.0/16"'))
    assert rehearsal.plan() == {"aws_vpc_security_group_ingress_rule.this": "update"}
    rehearsal.apply()
    assert rehearsal.plan() == {}
    rules = rehearsal.account.client("ec2").describe_security_group_rules(
        SecurityGroupRuleIds=[identity]
    )
    rule = rules["SecurityGroupRules"][0]
    assert (rule["FromPort"], rule["CidrIpv4"], rule["Description"]) == (
        443,
        "10.0.0.0/16",
        "second",
    )
    rehearsal.hcl(
        RULE % ("second", 443, "referenced_security_group_id = aws_security_group.this.id")
    )
    assert rehearsal.plan() == {"aws_vpc_security_group_ingress_rule.this": "delete+create"}
    rehearsal.apply()
    assert rehearsal.plan() == {}


def test_inline_rules_of_a_group(small: Start) -> None:
    group = """
    resource "aws_security_group" "this" {
      name = "group"
      ingress = [{
        description = "web", protocol = "tcp", from_port = 443, to_port = 443,
        cidr_blocks = ["10.0.0.0/8", "%s"], ipv6_cidr_blocks = [], prefix_list_ids = [],
        security_groups = [], self = true
      }]
    }
    """
    rehearsal = small(group % "192.168.0.0/16")
    rehearsal.apply()
    assert rehearsal.plan() == {}
    rehearsal.hcl(group % "172.16.0.0/12")
    assert rehearsal.plan() == {"aws_security_group.this": "update"}
    rehearsal.apply()
    assert rehearsal.plan() == {}
    groups = rehearsal.account.client("ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["group"]}]
    )["SecurityGroups"]
    ranges = {one["CidrIp"] for rule in groups[0]["IpPermissions"] for one in rule["IpRanges"]}
    assert ranges == {"10.0.0.0/8", "172.16.0.0/12"}
    assert groups[0]["IpPermissionsEgress"] == []


class Failing:
    """Makes the account answer an action with an error, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, action: str, code: int, times: int) -> None:
        self.left, real = times, World.answer

        def answer(world: World, environ: dict[str, Any]) -> Any:
            if read_request(environ).action != action or self.left == 0:
                return real(world, environ)
            self.left -= 1
            error = "RequestLimitExceeded" if code == 503 else "InternalError"
            told = f"<Error><Code>{error}</Code><Message>no</Message></Error>"
            body = f"<Response><Errors>{told}</Errors></Response>"
            response = Response(body, code, {"Content-Type": "text/xml"})
            return response.response, response.status, response.headers

        monkeypatch.setattr(World, "answer", answer)
        backoff = "botocore.retries.standard.ExponentialBackoff.delay_amount"
        monkeypatch.setattr(backoff, lambda *_: 0.01)


@pytest.mark.parametrize("code", [503, 500])
def test_throttling_and_server_errors_are_retried(
    small: Start, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    rehearsal = small('resource "aws_vpc" "this" { cidr_block = "10.1.0.0/16" }')
    failing = Failing(monkeypatch, "CreateVpc", code, times=2)
    rehearsal.apply()
    assert failing.left == 0
    assert rehearsal.plan() == {}


def test_an_api_that_keeps_failing_gives_a_clear_error(
    small: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = small('resource "aws_vpc" "this" { cidr_block = "10.1.0.0/16" }')
    Failing(monkeypatch, "CreateVpc", 503, times=100)
    with pytest.raises(TerraformFailed) as refusal:
        rehearsal.apply()
    assert "creating aws_vpc" in refusal.value.why
    assert "RequestLimitExceeded" in refusal.value.why
    assert rehearsal.state() == {}


def test_a_thing_made_half_way_is_remembered_and_made_anew(
    small: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = small(
        'resource "aws_vpc" "this" {\n cidr_block = "10.1.0.0/16"\n enable_dns_hostnames = true\n}'
    )
    failing = Failing(monkeypatch, "ModifyVpcAttribute", 400, times=100)
    with pytest.raises(TerraformFailed):
        rehearsal.apply()
    assert the_vpc(rehearsal)["VpcId"] == rehearsal.state()["aws_vpc.this"]["id"]
    failing.left = 0
    assert rehearsal.plan() == {"aws_vpc.this": "delete+create"}  # tainted
    rehearsal.apply()
    assert the_vpc(rehearsal)
    assert rehearsal.plan() == {}


def test_import(small: Start) -> None:
    rehearsal = small('resource "aws_vpc" "this" { cidr_block = "10.1.0.0/16" }')
    made = rehearsal.account.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    rehearsal.terraform.read("import", "-input=false", "aws_vpc.this", made)
    assert rehearsal.state()["aws_vpc.this"]["cidr_block"] == "10.1.0.0/16"
    assert rehearsal.plan() == {"aws_vpc.this": "update"}  # the default tags
    rehearsal.apply()
    assert rehearsal.plan() == {}


IMPORTED = """
resource "aws_route_table" "this" { vpc_id = "%(vpc)s" }
resource "aws_route" "this" {
  route_table_id         = aws_route_table.this.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = "%(gateway)s"
}
resource "aws_route_table_association" "this" {
  route_table_id = aws_route_table.this.id
  subnet_id      = "%(subnet)s"
}
resource "aws_cloudwatch_event_rule" "this" {
  name                = "r"
  schedule_expression = "rate(1 day)"
}
resource "aws_cloudwatch_event_target" "this" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = "t"
  arn       = "arn:aws:sqs:us-west-2:123456789012:q"
}
"""


def test_import_by_the_ids_that_the_real_provider_takes(small: Start) -> None:
    rehearsal = small("")
    ec2 = rehearsal.account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    rehearsal.hcl(IMPORTED % {"vpc": vpc, "gateway": gateway, "subnet": subnet})
    rehearsal.apply()
    before = {address: one["id"] for address, one in rehearsal.state().items()}
    table = before["aws_route_table.this"]
    for address, identity in (
        ("aws_route.this", f"{table}_0.0.0.0/0"),
        ("aws_route_table_association.this", f"{subnet}/{table}"),
        ("aws_cloudwatch_event_target.this", "r/t"),
    ):
        rehearsal.terraform.read("state", "rm", address)
        rehearsal.terraform.read("import", "-input=false", address, identity)
    assert {address: one["id"] for address, one in rehearsal.state().items()} == before
    assert rehearsal.plan() == {}


def test_what_is_not_emulated_is_not_passed_over_in_silence(small: Start) -> None:
    rehearsal = small(
        'resource "aws_vpc" "this" {\n cidr_block = "10.1.0.0/16"\n'
        " assign_generated_ipv6_cidr_block = true\n}"
    )
    with pytest.raises(TerraformFailed) as refusal:
        rehearsal.apply()
    said = "The rehearsal does not emulate assign_generated_ipv6_cidr_block of aws_vpc"
    assert said in flat(refusal.value.why)


def test_a_versioned_bucket_says_that_mfa_delete_is_off(small: Start) -> None:
    """As the provider's flattenVersioning does where the API is silent."""
    rehearsal = small(
        'resource "aws_s3_bucket" "this" { bucket = "versioned" }\n'
        'resource "aws_s3_bucket_versioning" "this" {\n'
        "  bucket = aws_s3_bucket.this.id\n"
        '  versioning_configuration { status = "Enabled" }\n}\n'
    )
    rehearsal.apply()
    shown = rehearsal.state()["aws_s3_bucket_versioning.this"]["versioning_configuration"]
    assert shown == [{"status": "Enabled", "mfa_delete": "Disabled"}]
    assert rehearsal.plan() == {}
