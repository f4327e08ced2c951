"""Each of moto's faults that the account repairs: without the repair it is there, with it not."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import __version__

from emulated_aws import Account, moto_patches, moto_repairs, open_account

POLICY = """{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]
}"""


def queue_policy(account: Account) -> Any:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": POLICY})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    return "Policy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def allow_policy(account: Account) -> Any:
    sqs = account.client("sqs")
    allowed = {"RedriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})}
    url = sqs.create_queue(QueueName="q", Attributes=allowed)["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return told.get("RedriveAllowPolicy") == allowed["RedriveAllowPolicy"]


def make_template(account: Account) -> str:
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = account.client("ec2").create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData={}, TagSpecifications=tags
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def launched_tags(account: Account) -> Any:
    found = account.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=make_template(account)
    )
    return not found["LaunchTemplateVersions"][0]["LaunchTemplateData"].get("TagSpecifications")


def template_tags(account: Account) -> Any:
    ec2, identity = account.client("ec2"), make_template(account)
    ec2.create_tags(Resources=[identity], Tags=[{"Key": "c", "Value": "d"}])
    found = ec2.describe_launch_templates(LaunchTemplateIds=[identity])["LaunchTemplates"][0]
    return {tag["Key"] for tag in found["Tags"]} == {"a", "c"}


def rotation(account: Account) -> Any:
    kms = account.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    return kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays") == 180


def new_bucket(account: Account) -> Any:
    s3 = account.client("s3")
    s3.create_bucket(
        Bucket="new-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    try:
        rules = s3.get_bucket_encryption(Bucket="new-bucket")["ServerSideEncryptionConfiguration"]
        owner = s3.get_bucket_ownership_controls(Bucket="new-bucket")["OwnershipControls"]
        block = s3.get_public_access_block(Bucket="new-bucket")["PublicAccessBlockConfiguration"]
    except ClientError:
        return False
    used = rules["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    owned = owner["Rules"][0]["ObjectOwnership"]
    return (used, owned, set(block.values())) == ("AES256", "BucketOwnerEnforced", {True})


def bucket_tags(account: Account) -> Any:
    s3 = account.client("s3")
    tags = [{"Key": "a", "Value": "b & c"}]
    where = {"LocationConstraint": "us-west-2", "Tags": tags}
    s3.create_bucket(Bucket="tagged-bucket", CreateBucketConfiguration=where)
    try:
        return s3.get_bucket_tagging(Bucket="tagged-bucket")["TagSet"] == tags
    except ClientError:
        return False


def interface(account: Account, delete: str) -> Any:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    ec2.create_network_interface(SubnetId=subnet, Groups=[group])
    asked = {"SubnetId": subnet} if delete == "delete_subnet" else {"GroupId": group}
    try:
        getattr(ec2, delete)(**asked)
    except ClientError as error:
        return error.response["Error"]["Code"] == "DependencyViolation"
    return False


def nat_interface(account: Account) -> Any:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
    ec2.delete_nat_gateway(NatGatewayId=made["NatGateway"]["NatGatewayId"])
    return ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def other_zone(account: Account) -> Any:
    ec2, efs = account.client("ec2"), account.client("efs")
    one, other = ec2.describe_subnets()["Subnets"][:2]
    system = efs.create_file_system(AvailabilityZoneName=one["AvailabilityZone"])["FileSystemId"]
    efs.create_mount_target(FileSystemId=system, SubnetId=one["SubnetId"])
    try:
        efs.create_mount_target(FileSystemId=system, SubnetId=other["SubnetId"])
    except ClientError as error:
        return error.response["Error"]["Code"] == "AvailabilityZonesMismatch"
    return False


def default_group(account: Account) -> Any:
    ec2, efs = account.client("ec2"), account.client("efs")
    subnet = ec2.describe_subnets()["Subnets"][0]
    system = efs.create_file_system()["FileSystemId"]
    target = efs.create_mount_target(FileSystemId=system, SubnetId=subnet["SubnetId"])
    found = efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])
    of_vpc = [
        {"Name": "group-name", "Values": ["default"]},
        {"Name": "vpc-id", "Values": [subnet["VpcId"]]},
    ]
    default = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupId"]
    return found.get("SecurityGroups") == [default]


# In the order of the table: as AWS does (True), or as moto does alone (False).
PROBES: tuple[Callable[[Account], Any], ...] = (
    queue_policy,
    allow_policy,
    launched_tags,
    template_tags,
    rotation,
    rotation,
    new_bucket,
    bucket_tags,
    lambda account: interface(account, "delete_subnet"),
    lambda account: interface(account, "delete_security_group"),
    nat_interface,
    other_zone,
    default_group,
)


def test_every_repair_is_asked_for() -> None:
    assert len(PROBES) == len(moto_repairs.REPAIRS)


def probed_alone(folder: Path) -> list[Any]:
    """Return what each probe finds with moto as it comes."""

    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    moto_patches.mended = nothing
    found: list[Any] = []
    for number, probe in enumerate(PROBES):
        with open_account(folder / str(number)) as account:
            found.append(probe(account))
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Run in a separate process: repairs apply to the whole process while any account is open."""
    with ProcessPoolExecutor(1, get_context("spawn")) as another:
        return another.submit(probed_alone, tmp_path_factory.mktemp("alone")).result()


@pytest.mark.parametrize(
    "number",
    range(len(PROBES)),
    ids=[f"{one.owner}.{one.method}" for one in moto_repairs.REPAIRS],
)
def test_moto_alone_has_the_fault_and_the_account_has_not(
    tmp_path: Path, alone: list[Any], number: int
) -> None:
    with open_account(tmp_path) as account:
        assert PROBES[number](account) is True
    fault = moto_repairs.REPAIRS[number].fault
    assert alone[number] is False, f"moto {__version__} does as AWS does: remove this ({fault})"
