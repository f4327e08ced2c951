"""The resource and data source types that the stand-in emulates, by service.

To add one: describe in the table of its service how it is created, read, updated and deleted
(`base.Resource`), and run `tools/provider_schema.py` and `tools/provider_facts.py`. Operations that
moto lacks are added in `emulated_aws.operations`.
"""

from collections.abc import Mapping

from emulated_aws.resources import (
    budgets,
    cost_explorer,
    data_sources,
    ecr,
    efs,
    eks,
    eks_access,
    eks_nodes,
    event_rules,
    iam,
    iam_bearers,
    kms,
    launch_templates,
    logs,
    routes,
    s3,
    s3_settings,
    security_groups,
    sns,
    sqs,
    vpc,
    vpc_endpoints,
    vpc_tables,
)
from emulated_aws.resources.base import DataSource, Resource

RESOURCES: Mapping[str, Resource] = {
    **vpc.RESOURCES,
    **routes.RESOURCES,
    **vpc_tables.RESOURCES,
    **vpc_endpoints.RESOURCES,
    **security_groups.RESOURCES,
    **s3.RESOURCES,
    **s3_settings.RESOURCES,
    **efs.RESOURCES,
    **iam.RESOURCES,
    **iam_bearers.RESOURCES,
    **kms.RESOURCES,
    **launch_templates.RESOURCES,
    **eks.RESOURCES,
    **eks_nodes.RESOURCES,
    **eks_access.RESOURCES,
    **ecr.RESOURCES,
    **logs.RESOURCES,
    **sqs.RESOURCES,
    **sns.RESOURCES,
    **event_rules.RESOURCES,
    **budgets.RESOURCES,
    **cost_explorer.RESOURCES,
}
DATA_SOURCES: Mapping[str, DataSource] = data_sources.DATA_SOURCES


def kept_types() -> frozenset[str]:
    """Return the resource types that no API is emulated for; there are none left."""
    return frozenset()
