"""What a machine has, by the name of its type, and what EKS leaves of it for pods.

EC2's names follow a rule for the families that a hub uses: the size gives the vCPUs, the family the
memory for each (AWS, Amazon EC2 instance types). What departs from it is in `EXCEPTIONS`. A test
holds the rule against every row of data/instances.csv, which is AWS' own list.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from pangeo_core.errors import BadInput

# By awslabs/amazon-eks-ami (nodeadm/internal/kubelet/config.go, 01375496) a node keeps these parts
# of its first vCPUs and of each further one; 255 MiB, 11 MiB for each pod that it may hold, and
# 100 MiB before pods are evicted. By aws/karpenter-provider-aws (pkg/operator/options/options.go,
# 1d927085: vmMemoryOverheadPercent) a part of the memory that AWS prints, for firmware and kernel.
KUBELET_CPU, KUBELET_CPU_REST = ("0.06", "0.01", "0.005", "0.005"), Decimal("0.0025")
KUBELET_MIB, KUBELET_MIB_PER_POD = 255 + 100, 11
MEMORY_OVERHEAD = Decimal("0.075")
# What the DaemonSets of a user node request together: aws-node, kube-proxy, the EFS and
# pod-identity agents, node exporter, and the image puller.
DAEMONS_CPU, DAEMONS_MIB = Decimal("0.25"), 400

# Pods that a node may hold, by its vCPUs (amazon-eks-ami, .../eni-max-pods.txt, 26412050: the m, r
# and c families up to the seventh generation), and where a family has others.
MAX_PODS = {1: 8, 2: 29, 4: 58, 8: 58, 16: 234, 32: 234, 48: 234, 64: 737, 96: 737}
OTHER_PODS = (
    (r"t\d+[a-z]*\.medium", {2: 17}),
    (r"t\d+[a-z]*\.large", {2: 35}),
    (r"[mr]8i-flex\..*", {2: 59, 4: 118, 8: 118, 16: 394, 32: 492}),
    (r"g4dn\..*", {4: 29}),
)
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


class Machine(NamedTuple):
    """A machine type: vCPUs, GiB as AWS prints them, and the pods that its network allows."""

    vcpus: int
    memory_gib: Decimal
    max_pods: int


class Room(NamedTuple):
    """Cores and MiB of a node: those for pods, or those kept from them."""

    cpu: Decimal
    memory_mib: Decimal


def machine(instance_type: str) -> Machine:
    """Return what a type such as `r5.xlarge` has. Raises `BadInput` for unknown families."""
    vcpus, gib = EXCEPTIONS.get(instance_type) or _by_name(instance_type)
    for family, pods in OTHER_PODS:
        if re.fullmatch(family, instance_type) and vcpus in pods:
            return Machine(vcpus, gib, pods[vcpus])
    return Machine(vcpus, gib, MAX_PODS.get(vcpus, max(MAX_PODS.values())))


def kept(vcpus: int, max_pods: int) -> Room:
    """Return what EKS keeps of a node for the kubelet and against eviction."""
    cpu = sum((Decimal(part) for part in KUBELET_CPU[:vcpus]), Decimal(0))
    cpu += KUBELET_CPU_REST * max(0, vcpus - len(KUBELET_CPU))
    return Room(cpu, Decimal(KUBELET_MIB + KUBELET_MIB_PER_POD * max_pods))


def room(of: Machine, *, daemons: bool = True) -> Room:
    """Return what a node has for pods; with `daemons`, beside those that every node runs."""
    less = kept(of.vcpus, of.max_pods)
    cpu = of.vcpus - less.cpu
    memory = of.memory_gib * 1024 * (1 - MEMORY_OVERHEAD) - less.memory_mib
    return Room(cpu - DAEMONS_CPU, memory - DAEMONS_MIB) if daemons else Room(cpu, memory)


def _by_name(instance_type: str) -> tuple[int, Decimal]:
    match = re.fullmatch(r"([a-z])\d+[a-z]*(?:-flex)?\.(medium|large|(\d*)xlarge)", instance_type)
    if not match or match[1] not in MEMORY:
        raise BadInput(
            f"The size of a machine of type {instance_type!r} is not known.",
            fix="Add it to hub_costs/machines.py with its source.",
        )
    vcpus = {"medium": 1, "large": 2}.get(match[2]) or 4 * int(match[3] or 1)
    if match[1] == "t" and match[2] == "large":
        return vcpus, Decimal(8)
    return vcpus, Decimal(vcpus * MEMORY[match[1]])
