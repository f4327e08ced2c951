"""The resource and data source types that the stand-in knows, by service.

To add one: use it in `terraform/`, run `tools/provider_schema.py`, and describe its behaviour in
the table of its service here (`base.Resource`, or `base.keeping` where no API is emulated). Where
moto lacks a single operation of a service that it emulates, `rehearsal/missing.py` can add it.
"""

from collections.abc import Mapping

from pangeo_deploy.rehearsal.resources import (
    billing,
    data,
    ec2,
    ecr,
    efs,
    eks,
    iam,
    kms,
    launch_templates,
    logs,
    messages,
    s3,
    security_groups,
)
from pangeo_deploy.rehearsal.resources.base import DataSource, Resource

RESOURCES: Mapping[str, Resource] = {
    **ec2.RESOURCES,
    **security_groups.RESOURCES,
    **s3.RESOURCES,
    **efs.RESOURCES,
    **iam.RESOURCES,
    **kms.RESOURCES,
    **launch_templates.RESOURCES,
    **eks.RESOURCES,
    **ecr.RESOURCES,
    **logs.RESOURCES,
    **messages.RESOURCES,
    **billing.RESOURCES,
}
DATA_SOURCES: Mapping[str, DataSource] = data.DATA_SOURCES


def kept_types() -> frozenset[str]:
    """Return the resource types without an emulated API, which the rehearsal keeps itself."""
    return frozenset(name for name, resource in RESOURCES.items() if resource.kept)
