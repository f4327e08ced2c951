"""How many cores and how much memory a machine has, by the name of its type.

EC2's names follow a rule for the families that a hub uses: the size gives the vCPUs, the family the
memory for each (AWS, Amazon EC2 instance types). What departs from it is in `EXCEPTIONS`.
"""

import re
from decimal import Decimal

from pangeo_deploy.errors import BadInput

# What a node keeps from its pods. By awslabs/amazon-eks-ami (nodeadm/internal/kubelet/config.go,
# 01375496): these parts of its first vCPUs and of each further one; 255 MiB, 11 MiB for each pod
# that it may hold, and 100 MiB before pods are evicted. By aws/karpenter-provider-aws
# (pkg/operator/options/options.go, 1d927085): a part of the memory that AWS prints, for itself.
KUBELET_CPU, KUBELET_CPU_REST = ("0.06", "0.01", "0.005", "0.005"), Decimal("0.0025")
MEMORY_OVERHEAD = Decimal("0.075")
# Pods that a node may hold, by its vCPUs (amazon-eks-ami, .../eni-max-pods.txt, 26412050: the m, r
# and c families up to the seventh generation).
MAX_PODS = {1: 8, 2: 29, 4: 58, 8: 58, 16: 234, 32: 234, 48: 234, 64: 737, 96: 737}

# Family letter -> GiB for each vCPU.
MEMORY = {"c": 2, "m": 4, "r": 8, "t": 4, "g": 4, "x": 16}
EXCEPTIONS = {  # type -> vCPU, GiB
    "t3.micro": (2, Decimal(1)),
    "t3.small": (2, Decimal(2)),
    "t3.medium": (2, Decimal(4)),
    "t3a.medium": (2, Decimal(4)),
    "t4g.medium": (2, Decimal(4)),
    "r4.large": (2, Decimal("15.25")),
    "r4.xlarge": (4, Decimal("30.5")),
    "r4.4xlarge": (16, Decimal(122)),
}


def shape(instance_type: str) -> tuple[int, Decimal]:
    """Return vCPUs and GiB of a machine type such as `r5.xlarge`."""
    if instance_type in EXCEPTIONS:
        return EXCEPTIONS[instance_type]
    match = re.fullmatch(r"([a-z])\d+[a-z]*(?:-flex)?\.(medium|large|(\d*)xlarge)", instance_type)
    if not match or match[1] not in MEMORY:
        raise BadInput(
            f"The size of a machine of type {instance_type!r} is not known.",
            fix="Add it to pangeo_deploy/cost/shapes.py with its source.",
        )
    cores = {"medium": 1, "large": 2}.get(match[2]) or 4 * int(match[3] or 1)
    if match[1] == "t" and match[2] == "large":
        return cores, Decimal(8)
    return cores, Decimal(cores * MEMORY[match[1]])


def room(instance_type: str) -> tuple[Decimal, Decimal]:
    """Return the vCPUs and GiB that a node of this type has for pods, system pods included."""
    cores, memory = shape(instance_type)
    kept = sum((Decimal(part) for part in KUBELET_CPU[:cores]), Decimal(0))
    kept += KUBELET_CPU_REST * max(0, cores - len(KUBELET_CPU))
    pods = MAX_PODS.get(cores, max(MAX_PODS.values()))
    kubelet = Decimal(255 + 11 * pods + 100) / 1024
    return cores - kept, memory * (1 - MEMORY_OVERHEAD) - kubelet
