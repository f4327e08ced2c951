"""Who pays for what: the ordered rules by which every line of a bill finds its owner.

The first rule whose condition holds takes the line. Conditions are SQL over the bill's table, where
`owner` is the user named by a tag or by a pod's name, and `core` says that a machine is the hub's
own. `how` says what happens to the amount (see `allocate`).
"""

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
    return f"regexp_matches(service, '(?i){pattern}')"


RULES = (
    Rule("split-rest", "machines", "idle", "\"x_View\" = 'rest' AND NOT core"),
    Rule("split-core-rest", "core machines", "shared", "\"x_View\" = 'rest'"),
    Rule("split-pod", "machines", "pods", "\"x_View\" = 'split' AND owner IS NOT NULL"),
    Rule("split-system", "hub and system pods", "shared", "\"x_View\" = 'split'"),
    Rule("tax", "tax", "shared", "\"ChargeCategory\" = 'Tax'"),
    Rule("credit", "credits", "shared", "\"ChargeCategory\" = 'Credit'"),
    Rule("adjustment", "refunds and discounts", "shared", "\"ChargeCategory\" = 'Adjustment'"),
    Rule("commitment", "commitments", "shared", "\"ChargeCategory\" = 'Purchase'"),
    Rule("direct-tag", "own resources", "direct", "owner IS NOT NULL"),
    Rule("core-machine", "core machines", "shared", "core AND machine IS NOT NULL"),
    Rule("machine", "machines", "machines", "machine IS NOT NULL"),
    Rule("control-plane", "control plane", "shared", _service("kubernetes|eks")),
    Rule("homes", "homes", "homes", _service("elastic file system|efs")),
    Rule("homes-backup", "homes", "homes", _service("backup")),
    Rule("nat", "network", "shared", _usage("natgateway")),
    Rule(
        "address",
        "network",
        "shared",
        _usage("publicipv4|vpcendpoint") + " OR " + _service("virtual private cloud"),
    ),
    Rule("load-balancer", "load balancer", "shared", _service("load balancing|elb")),
    Rule("disk", "disks", "shared", _usage("ebs:")),
    Rule("registry", "images", "shared", _service("container registry|ecr")),
    Rule(
        "monitoring",
        "monitoring",
        "shared",
        _service("cloudwatch|prometheus|grafana|cost explorer"),
    ),
    Rule("bucket", "buckets", "shared", _service("simple storage service|s3")),
    Rule("key", "keys", "shared", _service("key management|secrets manager")),
    Rule("transfer", "traffic", "shared", _usage("datatransfer|regional-bytes")),
    Rule("unknown", "not known", "unallocated", "true"),
)

# Tag columns that name a line's owner, first one wins; and those that mark the hub's own machines.
OWNER_TAGS = ("tag_hub_jupyter_org_username", "tag_username", "tag_user", "tag_owner")
CORE_TAGS = (
    "tag_hub_jupyter_org_node_purpose",
    "tag_node_purpose",
    "tag_pool",
    "tag_eks_nodegroup_name",
    "tag_aws_eks_nodegroup_name",
)
# The user in the id of a split row's pod: z2jh names servers `jupyter-<user>`.
POD_USER = "pod/[^/]+/[^/]+/jupyter-([^/]+)/"

# Weighing a request against its machine: for each core, for each GiB, and whether what was used
# counts where it is more than what was asked for.
WEIGHTS = {
    # 2i2c-org/jupyterhub-cost-monitoring: memory requests only.
    "memory": (0, 1, False),
    # opencost/opencost: the greater of request and use (spec/opencost-specv01.md, Workload Costs),
    # at its default prices, 1e-6 USD a core and a GiB an hour (configs/default.json, 0d1f69cc).
    "opencost": (31611, 4237, True),
    # AWS split cost allocation data for EKS (AWS CUR user guide).
    "aws": (9, 1, True),
}
