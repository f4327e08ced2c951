"""What moto does not do yet of services that it emulates, on moto's own models.

`world` lends it to moto while an account is open. Operations take moto's response object and answer
in its form.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Answer = tuple[str, dict[str, Any]]
JSON = {"Content-Type": "application/json"}


@contextmanager
def lent_to_moto() -> Iterator[None]:
    """Add it to moto's classes, and take it away again."""
    with ExitStack() as stack:
        for (module, name), additions in ADDITIONS.items():
            target = getattr(importlib.import_module(module), name)
            for attribute, value in additions.items():
                stack.enter_context(mock.patch.object(target, attribute, value, create=True))
        yield


# EFS


def file_system(response: Any) -> Any:
    """Return the file system that an EFS request is about."""
    backend = response.efs_backend
    identity = response._get_param("FileSystemId")
    backend.describe_file_systems(file_system_id=identity)  # raises what AWS raises
    return backend.file_systems_by_id[identity]


def put_backup_policy(response: Any) -> Answer:
    """EFS PutBackupPolicy."""
    status = response._get_param("BackupPolicy")["Status"]
    file_system(response)._backup_status = status
    return json.dumps({"BackupPolicy": {"Status": status}}), JSON


def describe_backup_policy(response: Any) -> Answer:
    """EFS DescribeBackupPolicy, which moto answers for what a file system was made with."""
    found = file_system(response)
    status = getattr(found, "_backup_status", "ENABLED" if found._backup else "DISABLED")
    return json.dumps({"BackupPolicy": {"Status": status}}), JSON


def update_file_system(response: Any) -> Answer:
    """EFS UpdateFileSystem."""
    found = file_system(response)
    found.throughput_mode = response._get_param("ThroughputMode") or found.throughput_mode
    found.provisioned_throughput_in_mibps = response._get_param("ProvisionedThroughputInMibps")
    return json.dumps(found.info_json()), JSON


def update_file_system_protection(response: Any) -> Answer:
    """EFS UpdateFileSystemProtection."""
    asked = {
        "ReplicationOverwriteProtection": response._get_param("ReplicationOverwriteProtection")
    }
    file_system(response).file_system_protection = asked
    return json.dumps(asked), JSON


def delete_file_system_policy(response: Any) -> Answer:
    """EFS DeleteFileSystemPolicy."""
    file_system(response).file_system_policy = None
    return json.dumps({}), JSON


# EC2


def rule_description(rule: Any) -> str | None:
    """Return a rule's description, which moto looks for only where it has addresses."""
    for source in (rule.ip_range, rule.source_group):
        if source.get("Description"):
            return str(source["Description"])
    return None


def modify_security_group_rules(backend: Any, group_id: str, rules: Mapping[str, Any]) -> None:
    """EC2 ModifySecurityGroupRules, for every kind of source; moto changes IPv4 ones only."""
    group = backend.get_security_group_by_name_or_id(group_id)
    for identity, new in rules.items():
        rule = group.get_rule(identity)
        described = {key: new[key] for key in ("Description",) if new.get(key)}
        ranges = {key: new[name] for key, name in RANGES.items() if new.get(name)}
        every = new["IpProtocol"] == "-1"
        rule.ip_protocol = new["IpProtocol"]
        rule.from_port = None if every else int(new["FromPort"])
        rule.to_port = None if every else int(new["ToPort"])
        rule.ip_range = {**ranges, **described} if ranges else {}
        rule.prefix_list_id = new.get("PrefixListId")
        owner = {"OwnerId": backend.account_id, "UserId": backend.account_id}
        referenced = new.get("ReferencedGroupId")
        rule.source_group = {"GroupId": referenced, **owner, **described} if referenced else {}


RANGES = {"CidrIp": "CidrIpv4", "CidrIpv6": "CidrIpv6"}

ADDITIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("moto.ec2.models.security_groups", "SecurityGroupRule"): {
        "description": property(rule_description),
    },
    ("moto.ec2.models.security_groups", "SecurityGroupBackend"): {
        "modify_security_group_rules": modify_security_group_rules,
    },
    ("moto.efs.responses", "EFSResponse"): {
        "put_backup_policy": put_backup_policy,
        "describe_backup_policy": describe_backup_policy,
        "update_file_system": update_file_system,
        "update_file_system_protection": update_file_system_protection,
        "delete_file_system_policy": delete_file_system_policy,
    },
}
