"""What still carries a deployment's tags, by asking the account and not the state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import connect


@dataclass(frozen=True)
class Leftover:
    """One thing that carries the tags. `id` is its ARN or id; the price is None while unknown."""

    id: str
    type: str
    usd_per_month: str | None = None


def sweep(deployment: Deployment) -> tuple[Leftover, ...]:
    """Return everything in the deployment's account that still carries its tags."""
    with connect(deployment) as cloud:
        return sweep_account(cloud.client, deployment.tags)


def sweep_account(client: Callable[[str], Any], tags: Mapping[str, str]) -> tuple[Leftover, ...]:
    """Return everything in the account's region that carries all of `tags`, sorted by type and id.

    Asks the tagging API for ARNs and EC2 for what it knows better (a terminated thing keeps its
    tags in the tagging API for a while).
    """
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    arns = [
        found["ResourceARN"]
        for page in pages.paginate(TagFilters=filters)
        for found in page["ResourceTagMappingList"]
    ]
    ec2_pages = (
        client("ec2")
        .get_paginator("describe_tags")
        .paginate(
            Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        )
    )
    ec2 = [(tag["ResourceType"], tag["ResourceId"]) for page in ec2_pages for tag in page["Tags"]]
    named = {(_type(arn), arn) for arn in arns if arn.split(":")[2] != "ec2"} | set(ec2)
    return tuple(Leftover(identity, kind) for kind, identity in sorted(named))


def _type(arn: str) -> str:
    """Return the service and kind an ARN names: `arn:aws:s3:::bucket` is `s3`."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    return f"{service}:{resource.split('/')[0]}" if "/" in resource else service
