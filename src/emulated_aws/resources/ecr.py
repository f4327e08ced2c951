"""Image repositories."""

from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    changed,
    first,
    retagging,
    tags_as_list,
    tags_as_map,
)


def create_repository(api: Api, new: State) -> State:
    """Create a repository."""
    asked = api.parameters("ecr", "create_repository", new, name="repositoryName")
    if new["encryption_configuration"]:
        block = new["encryption_configuration"][0]
        key = {"kmsKey": block["kms_key"]} if block["kms_key"] else {}
        asked["encryptionConfiguration"] = {"encryptionType": block["encryption_type"], **key}
    tags = tags_as_list(new["tags_all"])
    found = api.call("ecr", "create_repository", **asked, tags=tags)["repository"]
    return {"id": found["repositoryName"], "arn": found["repositoryArn"]}


def settle_repository(api: Api, old: State, new: State) -> None:
    """Update the mutability of tags, and scanning."""
    repository = {"repositoryName": new["id"]}
    if old and changed(old, new, "image_tag_mutability"):
        mutability = {"imageTagMutability": new["image_tag_mutability"]}
        api.call("ecr", "put_image_tag_mutability", **repository, **mutability)
    if old and changed(old, new, "image_scanning_configuration"):
        scan = first(new["image_scanning_configuration"]) or {"scan_on_push": False}
        wanted = {"imageScanningConfiguration": {"scanOnPush": scan["scan_on_push"]}}
        api.call("ecr", "put_image_scanning_configuration", **repository, **wanted)


def read_repository(api: Api, state: State) -> State:
    """Read a repository."""
    answer = api.call("ecr", "describe_repositories", repositoryNames=[state["id"]])
    found = answer["repositories"][0]
    tags = api.call("ecr", "list_tags_for_resource", resourceArn=found["repositoryArn"])["tags"]
    encryption = found["encryptionConfiguration"]
    host = f"{found['registryId']}.dkr.ecr.{api.region}.{api.dns_suffix}"
    return {
        "arn": found["repositoryArn"],
        "encryption_configuration": [
            {
                "encryption_type": encryption["encryptionType"],
                "kms_key": encryption.get("kmsKey", ""),
            }
        ],
        "image_scanning_configuration": [
            {"scan_on_push": found["imageScanningConfiguration"].get("scanOnPush", False)}
        ],
        "image_tag_mutability": found["imageTagMutability"],
        "name": found["repositoryName"],
        "registry_id": found["registryId"],
        "repository_url": f"{host}/{found['repositoryName']}",
        "tags_all": tags_as_map(tags),
    }


def plan_repository(api: Api, prior: State | None, planned: State) -> None:
    """Keep AWS's values for blocks that are not configured."""
    for name in ("encryption_configuration", "image_scanning_configuration"):
        if prior and not planned[name]:
            planned[name] = prior[name]


def put_lifecycle(api: Api, state: State) -> str:
    """Set the lifecycle policy."""
    repository = state["repository"]
    asked = {"repositoryName": repository, "lifecyclePolicyText": state["policy"]}
    api.call("ecr", "put_lifecycle_policy", **asked)
    return str(repository)


def read_lifecycle(api: Api, state: State) -> State:
    """Read the lifecycle policy."""
    found = api.call("ecr", "get_lifecycle_policy", repositoryName=state["id"])
    return {
        "policy": found["lifecyclePolicyText"],
        "registry_id": found["registryId"],
        "repository": found["repositoryName"],
    }


def read_template(api: Api, state: State) -> State | None:
    """Read a template for repositories that do not exist yet."""
    asked = {"prefixes": [state["id"]]}
    answer = api.call("ecr", "describe_repository_creation_templates", **asked)
    found = first(answer["repositoryCreationTemplates"])
    if not found:
        return None
    encryption = found["encryptionConfiguration"]
    return {
        **api.attributes(found),
        "encryption_configuration": [
            {
                "encryption_type": encryption["encryptionType"],
                "kms_key": encryption.get("kmsKey", ""),
            }
        ],
        "registry_id": answer["registryId"],
        "resource_tags": tags_as_map(found.get("resourceTags")),
    }


def put_template(api: Api, new: State, operation: str) -> str:
    """Create or update a template."""
    asked = api.parameters("ecr", operation, new)
    asked["resourceTags"] = tags_as_list(new["resource_tags"])
    api.call("ecr", operation, **asked)
    return str(new["prefix"])


RESOURCES = {
    "aws_ecr_repository": Resource(
        create=create_repository,
        settle=settle_repository,
        read=read_repository,
        plan=plan_repository,
        delete=lambda api, state: api.call(
            "ecr",
            "delete_repository",
            repositoryName=state["id"],
            force=bool(state.get("force_delete")),
        ),
        retag=retagging("ecr", "resourceArn", tags="tags", keys="tagKeys"),
    ),
    "aws_ecr_lifecycle_policy": Resource(
        create=put_lifecycle,
        settle=lambda api, old, new: old and put_lifecycle(api, new),
        read=read_lifecycle,
        delete=lambda api, state: api.call(
            "ecr", "delete_lifecycle_policy", repositoryName=state["id"]
        ),
        documents=frozenset({"policy"}),
    ),
    "aws_ecr_repository_creation_template": Resource(
        create=lambda api, new: put_template(api, new, "create_repository_creation_template"),
        settle=lambda api, old, new: (
            old and put_template(api, new, "update_repository_creation_template")
        ),
        read=read_template,
        delete=lambda api, state: api.call(
            "ecr", "delete_repository_creation_template", prefix=state["id"]
        ),
        documents=frozenset({"lifecycle_policy", "repository_policy"}),
    ),
}
