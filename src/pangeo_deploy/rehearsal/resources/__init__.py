"""The resource and data source types that the stand-in knows, by service."""

from collections.abc import Mapping

from pangeo_deploy.rehearsal.resources import data, ec2, efs, s3, security_groups
from pangeo_deploy.rehearsal.resources.base import DataSource, Resource

RESOURCES: Mapping[str, Resource] = {
    **ec2.RESOURCES,
    **security_groups.RESOURCES,
    **s3.RESOURCES,
    **efs.RESOURCES,
}
DATA_SOURCES: Mapping[str, DataSource] = data.DATA_SOURCES


def kept_types() -> frozenset[str]:
    """Return the resource types without an emulated API, which the rehearsal keeps itself."""
    return frozenset(name for name, resource in RESOURCES.items() if resource.kept)
