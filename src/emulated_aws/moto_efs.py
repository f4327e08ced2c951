"""Operations that moto's EFS lacks, added to moto while an account is open (`moto_patches`)."""

import json
from collections.abc import Mapping
from typing import Any

Answer = tuple[str, dict[str, Any]]
JSON = {"Content-Type": "application/json"}


def file_system(response: Any) -> Any:
    """Return the file system that an EFS request names."""
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
    """EFS DescribeBackupPolicy; moto's ignores changes after the file system's creation."""
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


def describe_file_system_policy(response: Any) -> Answer:
    """EFS DescribeFileSystemPolicy; moto's raises KeyError if the file system is gone."""
    identity = file_system(response).file_system_id
    policy = response.efs_backend.describe_file_system_policy(file_system_id=identity)
    return json.dumps({"FileSystemId": identity, "Policy": policy}), JSON


def delete_file_system_policy(response: Any) -> Answer:
    """EFS DeleteFileSystemPolicy."""
    file_system(response).file_system_policy = None
    return json.dumps({}), JSON


ADDITIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("moto.efs.responses", "EFSResponse"): {
        "put_backup_policy": put_backup_policy,
        "describe_backup_policy": describe_backup_policy,
        "update_file_system": update_file_system,
        "update_file_system_protection": update_file_system_protection,
        "describe_file_system_policy": describe_file_system_policy,
        "delete_file_system_policy": delete_file_system_policy,
    },
}
