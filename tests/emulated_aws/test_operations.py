"""The operations that moto lacks, as boto3 sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulated_aws import Account, open_account

ROLE = "arn:aws:iam::123456789012:role/r"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
MONITOR = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
EXPORT = {
    "Name": "bill",
    "DataQuery": {"QueryStatement": "SELECT 1 FROM COST_AND_USAGE_REPORT"},
    "DestinationConfigurations": {
        "S3Destination": {
            "S3Bucket": "b",
            "S3Prefix": "p",
            "S3Region": "us-west-2",
            "S3OutputConfigurations": {
                "OutputType": "CUSTOM",
                "Format": "PARQUET",
                "Compression": "PARQUET",
                "Overwrite": "OVERWRITE_REPORT",
            },
        }
    },
    "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with open_account(tmp_path) as account:
        yield account


@pytest.fixture
def eks(account: Account) -> Any:
    subnets = account.client("ec2").describe_subnets()["Subnets"]
    eks = account.client("eks")
    chosen = {"subnetIds": [one["SubnetId"] for one in subnets]}
    eks.create_cluster(name="c", roleArn=ROLE, resourcesVpcConfig=chosen)
    return eks


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_addons(eks: Any) -> None:
    roles = [{"serviceAccount": "aws-node", "roleArn": ROLE}]
    made = eks.create_addon(
        clusterName="c", addonName="vpc-cni", tags={"a": "b"}, podIdentityAssociations=roles
    )["addon"]
    assert made["status"] == "ACTIVE"
    assert eks.list_addons(clusterName="c")["addons"] == ["vpc-cni"]
    with refused("ResourceInUseException"):
        eks.create_addon(clusterName="c", addonName="vpc-cni")
    versions = eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion="1.35")["addons"]
    assert made["addonVersion"] == versions[0]["addonVersions"][0]["addonVersion"]
    update = eks.update_addon(clusterName="c", addonName="vpc-cni", configurationValues="{}")
    found = eks.describe_update(name="c", updateId=update["update"]["id"], addonName="vpc-cni")
    assert found["update"]["status"] == "Successful"
    addon = eks.describe_addon(clusterName="c", addonName="vpc-cni")["addon"]
    assert addon["configurationValues"] == "{}"
    assert addon["podIdentityAssociations"] == made["podIdentityAssociations"]
    eks.tag_resource(resourceArn=addon["addonArn"], tags={"c": "d"})
    eks.untag_resource(resourceArn=addon["addonArn"], tagKeys=["a"])
    assert eks.list_tags_for_resource(resourceArn=addon["addonArn"])["tags"] == {"c": "d"}
    eks.delete_addon(clusterName="c", addonName="vpc-cni")
    assert eks.list_pod_identity_associations(clusterName="c")["associations"] == []
    with refused("ResourceNotFoundException"):
        eks.describe_addon(clusterName="c", addonName="vpc-cni")
    with refused("No cluster found"):
        eks.list_addons(clusterName="other")


def test_access(eks: Any) -> None:
    entry = eks.create_access_entry(clusterName="c", principalArn=ROLE)["accessEntry"]
    assert (entry["type"], entry["kubernetesGroups"]) == ("STANDARD", [])
    scope = {"type": "cluster"}
    asked = {"clusterName": "c", "principalArn": ROLE}
    eks.associate_access_policy(**asked, policyArn=VIEW, accessScope=scope)
    listed = eks.list_associated_access_policies(**asked)["associatedAccessPolicies"]
    assert [one["policyArn"] for one in listed] == [VIEW]
    changed = eks.update_access_entry(**asked, kubernetesGroups=["g"])["accessEntry"]
    assert changed["kubernetesGroups"] == ["g"]
    eks.disassociate_access_policy(**asked, policyArn=VIEW)
    assert eks.list_associated_access_policies(**asked)["associatedAccessPolicies"] == []
    eks.delete_access_entry(**asked)
    assert eks.list_access_entries(clusterName="c")["accessEntries"] == []
    with refused("ResourceNotFoundException"):
        eks.associate_access_policy(**asked, policyArn=VIEW, accessScope=scope)


def test_pods_roles_and_what_goes_with_the_cluster(eks: Any) -> None:
    asked = {"clusterName": "c", "namespace": "n", "serviceAccount": "s"}
    made = eks.create_pod_identity_association(**asked, roleArn=ROLE)["association"]
    with refused("ResourceInUseException"):
        eks.create_pod_identity_association(**asked, roleArn=ROLE)
    named = {"clusterName": "c", "associationId": made["associationId"]}
    changed = eks.update_pod_identity_association(**named, roleArn=f"{ROLE}2")["association"]
    assert changed["roleArn"] == f"{ROLE}2"
    listed = eks.list_pod_identity_associations(clusterName="c", namespace="other")
    assert listed["associations"] == []
    update = eks.update_cluster_config(name="c", deletionProtection=False)["update"]
    found = eks.describe_update(name="c", updateId=update["id"])["update"]
    assert (found["id"], found["status"]) == (update["id"], "Successful")
    eks.delete_cluster(name="c")
    with refused("ResourceNotFoundException"):
        eks.describe_pod_identity_association(**named)


def test_creation_templates(account: Account) -> None:
    ecr = account.client("ecr")
    ecr.create_repository_creation_template(prefix="binder", appliedFor=["CREATE_ON_PUSH"])
    with refused("TemplateAlreadyExistsException"):
        ecr.create_repository_creation_template(prefix="binder", appliedFor=["CREATE_ON_PUSH"])
    ecr.update_repository_creation_template(prefix="binder", description="d")
    found = ecr.describe_repository_creation_templates(prefixes=["binder"])
    template = found["repositoryCreationTemplates"][0]
    assert (template["description"], template["imageTagMutability"]) == ("d", "MUTABLE")
    ecr.delete_repository_creation_template(prefix="binder")
    with refused("TemplateNotFoundException"):
        ecr.describe_repository_creation_templates(prefixes=["binder"])


def test_anomalies_and_cost_tags(account: Account) -> None:
    ce = account.client("ce")
    monitor = ce.create_anomaly_monitor(AnomalyMonitor=MONITOR)["MonitorArn"]
    told = {"SubscriptionName": "s", "Frequency": "DAILY", "MonitorArnList": [monitor]}
    told |= {"Subscribers": [{"Address": "a@b.org", "Type": "EMAIL"}]}
    made = ce.create_anomaly_subscription(AnomalySubscription=told)["SubscriptionArn"]
    ce.update_anomaly_subscription(SubscriptionArn=made, Frequency="WEEKLY")
    found = ce.get_anomaly_subscriptions(SubscriptionArnList=[made])["AnomalySubscriptions"][0]
    assert (found["Frequency"], found["AccountId"]) == ("WEEKLY", "123456789012")
    ce.tag_resource(ResourceArn=monitor, ResourceTags=[{"Key": "a", "Value": "b"}])
    tags = ce.list_tags_for_resource(ResourceArn=monitor)["ResourceTags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    ce.delete_anomaly_monitor(MonitorArn=monitor)
    with refused("UnknownMonitorException"):
        ce.get_anomaly_monitors(MonitorArnList=[monitor])
    asked = [{"TagKey": "project", "Status": "Active"}]
    ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=asked)
    assert (
        ce.list_cost_allocation_tags(Status="Active")["CostAllocationTags"][0]["TagKey"]
        == "project"
    )
    assert ce.list_cost_allocation_tags(Status="Inactive")["CostAllocationTags"] == []


def test_exports(account: Account) -> None:
    exports = account.client("bcm-data-exports", "us-east-1")
    arn = exports.create_export(Export=EXPORT)["ExportArn"]
    found = exports.get_export(ExportArn=arn)
    assert found["Export"] == {**EXPORT, "ExportArn": arn}
    assert found["ExportStatus"]["StatusCode"] == "HEALTHY"
    exports.update_export(ExportArn=arn, Export={**EXPORT, "Description": "d"})
    assert exports.get_export(ExportArn=arn)["Export"]["Description"] == "d"
    assert [one["ExportName"] for one in exports.list_exports()["Exports"]] == ["bill"]
    exports.delete_export(ExportArn=arn)
    with refused("ResourceNotFoundException"):
        exports.get_export(ExportArn=arn)


def test_what_is_beside_moto_has_its_tags_in_the_tagging_api(account: Account, eks: Any) -> None:
    tags = {"project": "test"}
    listed = [{"Key": "project", "Value": "test"}]
    made = eks.create_addon(clusterName="c", addonName="vpc-cni", tags=tags)
    expected = {made["addon"]["addonArn"]}
    entry = eks.create_access_entry(
        clusterName="c", principalArn="arn:aws:iam::123456789012:role/a", tags=tags
    )
    expected.add(entry["accessEntry"]["accessEntryArn"])
    monitor = account.client("ce", "us-east-1").create_anomaly_monitor(
        AnomalyMonitor={
            "MonitorName": "m",
            "MonitorType": "DIMENSIONAL",
            "MonitorDimension": "SERVICE",
        },
        ResourceTags=listed,
    )
    wanted = [{"Key": "project", "Values": ["test"]}]

    def tagged(region: str, *kinds: str) -> set[str]:
        tagging = account.client("resourcegroupstaggingapi", region)
        found = tagging.get_resources(TagFilters=wanted, ResourceTypeFilters=list(kinds))
        return {one["ResourceARN"] for one in found["ResourceTagMappingList"]}

    assert expected <= tagged("us-west-2")
    assert tagged("us-west-2", "eks:addon") == {made["addon"]["addonArn"]}
    assert monitor["MonitorArn"] in tagged("us-east-1")
    assert monitor["MonitorArn"] not in tagged("us-west-2")
    eks.untag_resource(resourceArn=made["addon"]["addonArn"], tagKeys=["project"])
    assert tagged("us-west-2", "eks:addon") == set()
