"""Launch templates, and single tags on resources that something else created."""

from typing import Any

from tf.types import Unknown

from emulated_aws.planning import differences
from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    changed,
    first,
    from_api,
    given_name,
    tags_as_list,
    tags_as_map,
    to_api,
)
from emulated_aws.resources.ec2 import filters, retag

# Where the API's name differs from the attribute's.
NAMES = {
    "ElasticGpuSpecifications": "elastic_gpu_specifications",
    "LicenseSpecifications": "license_specification",
    "RamDiskId": "ram_disk_id",
    "SecurityGroupIds": "vpc_security_group_ids",
    "SecurityGroups": "security_group_names",
}
# Not part of a version: a change creates none.
BESIDE = frozenset(
    {"default_version", "description", "name", "name_prefix", "tags", "tags_all"}
    | {"update_default_version", "latest_version"}
)


def template_data(api: Api, new: State) -> dict[str, Any]:
    """Return a template version in the API's form."""
    shape = api.client("ec2").meta.service_model.shape_for("RequestLaunchTemplateData")
    asked = to_api(shape, without_empty(new), NAMES)
    if new["tag_specifications"]:
        asked["TagSpecifications"] = [
            {"ResourceType": block["resource_type"], "Tags": tags_as_list(block["tags"])}
            for block in new["tag_specifications"]
        ]
    return asked


def without_empty(value: Any) -> Any:
    """Return a value without empty parts, which mean "not set" in a template."""
    if isinstance(value, dict):
        pairs = ((key, without_empty(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item not in (None, "", 0, False, [], {})}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def create_template(api: Api, new: State) -> str:
    """Create a launch template with its first version."""
    tags = tags_as_list(new["tags_all"])
    answer = api.call(
        "ec2",
        "create_launch_template",
        LaunchTemplateName=given_name(new),
        VersionDescription=new["description"] or None,
        LaunchTemplateData=template_data(api, new),
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}] if tags else None,
    )
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def settle_template(api: Api, old: State, new: State) -> None:
    """Create a new version if its data changed; make it the default if configured."""
    if not old:
        return
    template = {"LaunchTemplateId": new["id"]}
    default = new["default_version"] if changed(old, new, "default_version") else None
    if parts(api, old, new) or changed(old, new, "description"):
        answer = api.call(
            "ec2",
            "create_launch_template_version",
            **template,
            VersionDescription=new["description"] or None,
            LaunchTemplateData=template_data(api, new),
        )
        if new["update_default_version"]:
            default = answer["LaunchTemplateVersion"]["VersionNumber"]
    if default:
        api.call("ec2", "modify_launch_template", **template, DefaultVersion=str(int(default)))


def parts(api: Api, old: State, new: State) -> list[str]:
    """Return the attributes that are part of a version."""
    changes = {path.partition(".")[0] for path in differences(api.block, old, new)}
    return sorted(changes - BESIDE - {"id", "arn"})


def plan_template(api: Api, prior: State | None, planned: State) -> None:
    """Plan the next version's number as unknown."""
    # A new description creates a version too, but the provider does not plan it.
    if prior and parts(api, prior, planned):
        planned["latest_version"] = Unknown
        if planned["update_default_version"]:
            planned["default_version"] = Unknown


def read_template(api: Api, state: State) -> State | None:
    """Read a launch template and its latest version."""
    template = {"LaunchTemplateId": state["id"]}
    found = first(
        api.call("ec2", "describe_launch_templates", LaunchTemplateIds=[state["id"]])[
            "LaunchTemplates"
        ]
    )
    if not found:
        return None
    versions = api.call(
        "ec2", "describe_launch_template_versions", **template, Versions=["$Latest"]
    )
    latest = versions["LaunchTemplateVersions"][0]
    data = latest["LaunchTemplateData"]
    blocks: State = {name: [] for name in api.block.blocks}
    specifications = [
        {"resource_type": one["ResourceType"], "tags": tags_as_map(one["Tags"])}
        for one in data.get("TagSpecifications", ())
    ]
    return {
        **blocks,
        **from_api(api.block, data, NAMES),
        "arn": api.arn("ec2", f"launch-template/{state['id']}"),
        "default_version": found["DefaultVersionNumber"],
        "description": latest.get("VersionDescription", ""),
        "latest_version": found["LatestVersionNumber"],
        "name": found["LaunchTemplateName"],
        "name_prefix": state.get("name_prefix") or "",
        "tag_specifications": specifications,
        "tags_all": tags_as_map(found.get("Tags")),
    }


def read_tag(api: Api, state: State) -> State | None:
    """Read a tag of a resource."""
    resource, _, key = state["id"].partition(",")
    asked = filters({"resource-id": resource, "key": key})
    found = first(api.call("ec2", "describe_tags", Filters=asked)["Tags"])
    return {"resource_id": resource, "key": key, "value": found["Value"]} if found else None


def put_tag(api: Api, state: State) -> str:
    """Set a tag."""
    tag = {"Key": state["key"], "Value": state["value"]}
    api.call("ec2", "create_tags", Resources=[state["resource_id"]], Tags=[tag])
    return f"{state['resource_id']},{state['key']}"


def drop_tag(api: Api, state: State) -> None:
    """Remove a tag, if it still has this value."""
    tag = {"Key": state["key"], "Value": state["value"]}
    api.call("ec2", "delete_tags", Resources=[state["resource_id"]], Tags=[tag])


RESOURCES = {
    "aws_launch_template": Resource(
        create=create_template,
        settle=settle_template,
        read=read_template,
        plan=plan_template,
        delete=lambda api, state: api.call(
            "ec2", "delete_launch_template", LaunchTemplateId=state["id"]
        ),
        retag=retag,
    ),
    "aws_ec2_tag": Resource(
        create=put_tag,
        settle=lambda api, old, new: old and put_tag(api, new),
        read=read_tag,
        delete=drop_tag,
    ),
}
