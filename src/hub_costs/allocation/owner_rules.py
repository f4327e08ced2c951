"""Who pays for what: the ordered rules by which every line of a bill finds its owner.

The first rule whose condition holds takes the line. Conditions are SQL over the bill's table, where
`owner` is the user that a tag names, `pod` the name of a split row's pod, and `core` says that a
machine is the hub's own. `how` says what happens to the amount (see `allocate`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

How = Literal["direct", "pods", "machines", "homes", "shared", "idle", "unallocated"]


@dataclass(frozen=True)
class Rule:
    """One rule: its id goes with every cent that it moves."""

    id: str
    component: str
    how: How
    where: str


def _usage(pattern: str) -> str:
    return f"regexp_matches(usage, '(?i){pattern}')"


def _service(pattern: str) -> str:
    """Match whole words of a service's name, or AWS's product codes (`AmazonEKS`)."""
    return f"regexp_matches(service, '(?i)\\b(amazon|aws)?({pattern})\\b')"


RULES = (
    Rule("split-rest", "machines", "idle", "\"x_View\" = 'rest' AND NOT core"),
    Rule("split-core-rest", "core machines", "shared", "\"x_View\" = 'rest'"),
    Rule(
        "split-pod",
        "machines",
        "pods",
        "\"x_View\" = 'split' AND (owner IS NOT NULL"
        " OR regexp_matches(pod, '^(jupyter|dask-worker|dask-scheduler)-'))",
    ),
    Rule("split-system", "hub and system pods", "shared", "\"x_View\" = 'split'"),
    Rule("tax", "tax", "shared", "\"ChargeCategory\" = 'Tax'"),
    Rule("credit", "credits", "shared", "\"ChargeCategory\" = 'Credit'"),
    Rule("adjustment", "refunds and discounts", "shared", "\"ChargeCategory\" = 'Adjustment'"),
    Rule("commitment", "commitments", "shared", "\"ChargeCategory\" = 'Purchase'"),
    Rule("core-machine", "core machines", "shared", "core AND machine IS NOT NULL"),
    Rule("direct-tag", "own resources", "direct", "owner IS NOT NULL"),
    Rule("machine", "machines", "machines", "machine IS NOT NULL"),
    Rule(
        "control-plane",
        "control plane",
        "shared",
        _service("eks") + " OR regexp_matches(service, '(?i)kubernetes')",
    ),
    Rule("homes", "homes", "homes", _service("elastic file system|efs")),
    Rule("homes-backup", "homes", "homes", _service("backup")),
    Rule("nat", "network", "shared", _usage("natgateway")),
    Rule(
        "address",
        "network",
        "shared",
        _usage("publicipv4|vpcendpoint") + " OR " + _service("virtual private cloud|vpc"),
    ),
    Rule("load-balancer", "load balancer", "shared", _service("elastic load balancing|elb")),
    Rule("disk", "disks", "shared", _usage("ebs:")),
    Rule("registry", "images", "shared", _service("(ec2 )?container registry|ecr")),
    Rule(
        "monitoring",
        "monitoring",
        "shared",
        _service(
            "cloudwatch|managed service for prometheus|prometheus|(managed )?grafana|cost ?explorer"
        ),
    ),
    Rule("bucket", "buckets", "shared", _service("simple storage service|s3")),
    Rule("key", "keys", "shared", _service("key management service|kms|secrets ?manager")),
    Rule("transfer", "traffic", "shared", _usage("datatransfer|regional-bytes")),
    # Cost Explorer by service: what machines cost, and not which.
    Rule("machine-untyped", "machines", "unallocated", _service("elastic compute cloud - compute")),
    Rule("unknown", "not known", "unallocated", "true"),
)

# The tag that names a line's owner: the hub's own label of a user. A tag such as `Owner` names who
# answers for a resource, not who used it: it counts only where it is asked for.
OWNER_TAG = "tag_hub_jupyter_org_username"
# Tags whose value marks the hub's own machines: it contains "core".
CORE_TAGS = (
    "tag_pool",
    "tag_eks_nodegroup_name",
    "tag_hub_jupyter_org_node_purpose",
    "tag_node_purpose",
)
# Tags that tell one hub's machines from another's, first one wins; and a cluster's from others.
HUB_TAGS = ("tag_hub", "tag_deployment")
CLUSTER_TAG = "tag_eks_cluster_name"
# Every tag that a rule reads: an export must have these columns (terraform/modules/cost/bill.tf).
TAGS = (OWNER_TAG, *CORE_TAGS, *HUB_TAGS, CLUSTER_TAG)

# Rule -> what is said where it takes a line.
_SAID = {
    "commitment": "The bill has commitments, such as savings plans: users carry list prices, and"
    " the fees are shared. `--cost amortised` spreads them over what they cover.",
    "machine-untyped": "The bill does not name the types of all machines, as Cost Explorer by"
    " service: their cost is unallocated. Ingest the export to divide it among users.",
}
# Said where a bill tells clusters or hubs apart, but not the hub's own machines from its users'.
NO_CORE_TAG = (
    "No tag of the bill marks the hub's own machines: they count as users' machines, most of them"
    f" idle. Export one of {', '.join(CORE_TAGS)}."
)

# Weighing a request against its machine: for each core, for each GiB, and whether what was used
# counts where it is more than what was asked for. A machine's cost is divided into one part for its
# cores and one for its memory by these weights; each part goes by what was allocated of it.
WEIGHTS = {
    # Ours: memory requests only, which is what limits how many servers a machine holds.
    "memory": (0, 1, False),
    # OpenCost: the greater of request and use (its specification, "Workload Costs"), and the price
    # of a machine divided by the ratio of its default prices of a core and a GiB
    # (configs/default.json: 0.031611 and 0.004237 USD an hour).
    "opencost": (31611, 4237, True),
    # AWS split cost allocation data for EKS: a core weighs nine times a GiB (AWS CUR user guide).
    "aws": (9, 1, True),
}

# What `cost` may be called -> SQL for the amount.
COSTS = {
    "unblended": '"BilledCost"',
    "amortised": '"EffectiveCost"',
    "net": 'coalesce("x_NetCost", "BilledCost")',
}


def owner_tags(more: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tag columns that name an owner: the hub's own, then those asked for."""
    return (OWNER_TAG, *(tag if tag.startswith("tag_") else f"tag_{tag}" for tag in more))


def said_of(rules: Collection[str], tags: Collection[str], cost: str) -> list[str]:
    """Return what to say of a bill with these tags of which these rules took lines."""
    # Amortised, users' shares hold no list prices of what a commitment pays.
    quiet = ("commitment",) if cost == "amortised" else ()
    said = [text for rule, text in _SAID.items() if rule in rules and rule not in quiet]
    apart = not {*HUB_TAGS, CLUSTER_TAG}.isdisjoint(tags)
    if "machine" in rules and apart and set(CORE_TAGS).isdisjoint(tags):
        said.append(NO_CORE_TAG)
    return said
