"""File systems for homes."""

import itertools
from typing import Any

from botocore.exceptions import ClientError

from emulated_aws.resources.base import Api, Resource, State, changed, first, tags_as_list


def create_file_system(api: Api, new: State) -> str:
    """Create a file system, with a unique token."""
    tags = tags_as_list(new["tags_all"])
    asked = api.parameters("efs", "create_file_system", new)
    if new["creation_token"]:
        return str(api.call("efs", "create_file_system", **asked, Tags=tags)["FileSystemId"])
    # Derived from the tags, so that the same deployment gets the same id again.
    drawn = "-".join(["terraform", *(tag["Value"] for tag in tags)])[:60]
    for number in itertools.count(1):
        asked["CreationToken"] = f"{drawn}-{number}"
        try:
            return str(api.call("efs", "create_file_system", **asked, Tags=tags)["FileSystemId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "FileSystemAlreadyExists":
                raise
    raise AssertionError("unreachable")


def settle_file_system(api: Api, old: State, new: State) -> None:
    """Set lifecycle, throughput and protection."""
    if old and changed(old, new, "throughput_mode", "provisioned_throughput_in_mibps"):
        asked = api.parameters("efs", "update_file_system", new)
        if new["throughput_mode"] != "provisioned":
            asked.pop("ProvisionedThroughputInMibps", None)
        api.call("efs", "update_file_system", FileSystemId=new["id"], **asked)
    if changed({"lifecycle_policy": [], **old}, new, "lifecycle_policy"):
        policies = [lifecycle_rule(block) for block in new["lifecycle_policy"]]
        api.call(
            "efs", "put_lifecycle_configuration", FileSystemId=new["id"], LifecyclePolicies=policies
        )
    if (
        new["protection"]
        and changed(old, new, "protection")
        and new["protection"][0]["replication_overwrite"]
    ):
        wanted = new["protection"][0]["replication_overwrite"]
        asked = {"FileSystemId": new["id"], "ReplicationOverwriteProtection": wanted}
        api.call("efs", "update_file_system_protection", **asked)


LIFECYCLE = {
    "transition_to_ia": "TransitionToIA",
    "transition_to_archive": "TransitionToArchive",
    "transition_to_primary_storage_class": "TransitionToPrimaryStorageClass",
}


def lifecycle_rule(block: State) -> dict[str, str]:
    """Return a lifecycle rule in the API's form."""
    return {option: block[name] for name, option in LIFECYCLE.items() if block[name]}


def read_file_system(api: Api, state: State) -> State | None:
    """Read a file system and its lifecycle."""
    found = first(api.call("efs", "describe_file_systems", FileSystemId=state["id"])["FileSystems"])
    if not found:
        return None
    rules = api.call("efs", "describe_lifecycle_configuration", FileSystemId=state["id"])
    size = found["SizeInBytes"]
    return {
        **api.attributes(found),
        "arn": api.arn("elasticfilesystem", f"file-system/{state['id']}"),
        "availability_zone_id": found.get("AvailabilityZoneId", ""),
        "availability_zone_name": found.get("AvailabilityZoneName", ""),
        "kms_key_id": found.get("KmsKeyId", ""),
        "name": found.get("Name", ""),
        "dns_name": f"{state['id']}.efs.{api.region}.{api.dns_suffix}",
        "provisioned_throughput_in_mibps": found.get("ProvisionedThroughputInMibps", 0),
        "size_in_bytes": [
            {
                "value": size.get("Value", 0),
                "value_in_ia": size.get("ValueInIA", 0),
                "value_in_standard": size.get("ValueInStandard", 0),
            }
        ],
        "protection": [
            {
                "replication_overwrite": found.get("FileSystemProtection", {}).get(
                    "ReplicationOverwriteProtection", "ENABLED"
                )
            }
        ],
        "lifecycle_policy": [
            {name: rule.get(option, "") for name, option in LIFECYCLE.items()}
            for rule in rules["LifecyclePolicies"]
        ],
    }


def retag(api: Api, state: State, given: dict[str, str], removed: list[str]) -> None:
    """Set and remove tags."""
    if removed:
        api.call("efs", "untag_resource", ResourceId=state["id"], TagKeys=removed)
    if given:
        api.call("efs", "tag_resource", ResourceId=state["id"], Tags=tags_as_list(given))


def create_mount_target(api: Api, new: State) -> str:
    """Create a mount target in a subnet."""
    asked = api.parameters("efs", "create_mount_target", new)
    return str(api.call("efs", "create_mount_target", **asked)["MountTargetId"])


def settle_mount_target(api: Api, old: State, new: State) -> None:
    """Update a mount target's security groups."""
    if old and changed(old, new, "security_groups"):
        asked = {"MountTargetId": new["id"], "SecurityGroups": new["security_groups"]}
        api.call("efs", "modify_mount_target_security_groups", **asked)


def read_mount_target(api: Api, state: State) -> State | None:
    """Read a mount target and its security groups."""
    answer = api.call("efs", "describe_mount_targets", MountTargetId=state["id"])
    found = first(answer["MountTargets"])
    if not found:
        return None
    groups = api.call("efs", "describe_mount_target_security_groups", MountTargetId=state["id"])
    system, zone = found["FileSystemId"], found.get("AvailabilityZoneName", "")
    name = f"{system}.efs.{api.region}.{api.dns_suffix}"
    return {
        **api.attributes(found),
        "file_system_arn": api.arn("elasticfilesystem", f"file-system/{system}"),
        "dns_name": name,
        "mount_target_dns_name": f"{zone}.{name}",
        "ip_address_type": found.get("IpAddressType", "IPV4_ONLY"),
        "ipv6_address": found.get("Ipv6Address", ""),
        "security_groups": groups["SecurityGroups"],
    }


def create_access_point(api: Api, new: State) -> str:
    """Create an access point, which acts as one user."""
    asked: dict[str, Any] = {"FileSystemId": new["file_system_id"]}
    if user := first(new["posix_user"] or ()):
        asked["PosixUser"] = {"Uid": int(user["uid"]), "Gid": int(user["gid"])}
        if groups := user["secondary_gids"]:
            asked["PosixUser"]["SecondaryGids"] = [int(group) for group in groups]
    if root := first(new["root_directory"] or ()):
        asked["RootDirectory"] = {"Path": root["path"] or "/"}
        if info := first(root["creation_info"] or ()):
            asked["RootDirectory"]["CreationInfo"] = {
                "OwnerUid": int(info["owner_uid"]),
                "OwnerGid": int(info["owner_gid"]),
                "Permissions": info["permissions"],
            }
    tags = tags_as_list(new["tags_all"])
    answer = api.call("efs", "create_access_point", **asked, Tags=tags)
    return str(answer["AccessPointId"])


def read_access_point(api: Api, state: State) -> State | None:
    """Read an access point: its user and its root directory."""
    answer = api.call("efs", "describe_access_points", AccessPointId=state["id"])
    found = first(answer["AccessPoints"])
    if not found:
        return None
    user, root = found.get("PosixUser"), found.get("RootDirectory") or {}
    info = root.get("CreationInfo")
    system = found["FileSystemId"]
    return {
        **api.attributes(found),
        "arn": found["AccessPointArn"],
        "file_system_arn": api.arn("elasticfilesystem", f"file-system/{system}"),
        "posix_user": [
            {
                "uid": user["Uid"],
                "gid": user["Gid"],
                "secondary_gids": user.get("SecondaryGids") or None,
            }
        ]
        if user
        else [],
        "root_directory": [
            {
                "path": root.get("Path", "/"),
                "creation_info": [
                    {
                        "owner_uid": info["OwnerUid"],
                        "owner_gid": info["OwnerGid"],
                        "permissions": info["Permissions"],
                    }
                ]
                if info
                else [],
            }
        ],
    }


def put_backup_policy(api: Api, state: State, status: str) -> str:
    """Turn automatic backups on or off."""
    asked: dict[str, Any] = {
        "FileSystemId": state["file_system_id"],
        "BackupPolicy": {"Status": status},
    }
    api.call("efs", "put_backup_policy", **asked)
    return str(state["file_system_id"])


def read_backup_policy(api: Api, state: State) -> State:
    """Read whether automatic backups are on."""
    status = api.call("efs", "describe_backup_policy", FileSystemId=state["id"])["BackupPolicy"][
        "Status"
    ]
    shown = {"ENABLING": "ENABLED", "DISABLING": "DISABLED"}.get(status, status)
    return {"file_system_id": state["id"], "backup_policy": [{"status": shown}]}


def put_policy(api: Api, state: State) -> str:
    """Set the file system policy."""
    asked = api.parameters("efs", "put_file_system_policy", state)
    api.call("efs", "put_file_system_policy", **asked)
    return str(state["file_system_id"])


def read_policy(api: Api, state: State) -> State:
    """Read the file system policy."""
    found = api.call("efs", "describe_file_system_policy", FileSystemId=state["id"])
    return {"file_system_id": state["id"], "policy": found["Policy"]}


RESOURCES = {
    "aws_efs_file_system": Resource(
        create=create_file_system,
        settle=settle_file_system,
        read=read_file_system,
        delete=lambda api, state: api.call("efs", "delete_file_system", FileSystemId=state["id"]),
        retag=retag,
    ),
    "aws_efs_mount_target": Resource(
        create=create_mount_target,
        settle=settle_mount_target,
        read=read_mount_target,
        delete=lambda api, state: api.call("efs", "delete_mount_target", MountTargetId=state["id"]),
    ),
    "aws_efs_access_point": Resource(
        create=create_access_point,
        settle=lambda api, old, new: None,
        read=read_access_point,
        delete=lambda api, state: api.call("efs", "delete_access_point", AccessPointId=state["id"]),
        retag=retag,
    ),
    "aws_efs_backup_policy": Resource(
        create=lambda api, new: put_backup_policy(api, new, new["backup_policy"][0]["status"]),
        settle=lambda api, old, new: (
            old and put_backup_policy(api, new, new["backup_policy"][0]["status"])
        ),
        read=read_backup_policy,
        delete=lambda api, state: put_backup_policy(api, state, "DISABLED"),
    ),
    "aws_efs_file_system_policy": Resource(
        create=put_policy,
        settle=lambda api, old, new: old and put_policy(api, new),
        read=read_policy,
        delete=lambda api, state: api.call(
            "efs", "delete_file_system_policy", FileSystemId=state["id"]
        ),
        documents=frozenset({"policy"}),
    ),
}
