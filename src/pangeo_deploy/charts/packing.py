"""How many servers of a profile fit a node: no room left unused, and no pod left pending."""

from dataclasses import dataclass
from typing import Any

# What EKS keeps of a node (the AMI's nodeadm, and AWS's docs "Reserve compute resources"): memory
# 255 MiB and 11 MiB a pod, and the kubelet's eviction threshold of 100 MiB; CPU 6 % of the first
# core, 1 % of the second, 0.5 % of the next two, 0.25 % of each further one.
RESERVED_MIB = 255 + 100
RESERVED_MIB_PER_POD = 11
MAX_PODS = 58  # of the 2xlarge shapes of the pools, by their network interfaces
# The part of the memory that AWS prints which firmware and kernel take: what Karpenter assumes
# unless told otherwise (its setting vmMemoryOverheadPercent).
OVERHEAD = 0.075
# DaemonSets on a user node: aws-node, kube-proxy, the EFS and pod-identity agents, node exporter,
# and the image puller; what they request together.
DAEMONS_MIB = 400
DAEMONS_CPU = 0.25


@dataclass(frozen=True)
class Room:
    """What a node has for servers."""

    cpu: float
    memory_mib: float


def room(cpu: int, memory_gib: int) -> Room:
    """Return what a node of `cpu` cores and `memory_gib` GiB (as AWS prints it) has for servers."""
    shares = [0.06, 0.01, 0.005, 0.005]
    kept = sum(shares[:cpu]) + 0.0025 * max(0, cpu - len(shares))
    memory = memory_gib * 1024 * (1 - OVERHEAD) - RESERVED_MIB - RESERVED_MIB_PER_POD * MAX_PODS
    return Room(cpu - kept - DAEMONS_CPU, memory - DAEMONS_MIB)


def fits(profile: dict[str, Any]) -> int:
    """Return how many servers of the profile fit a node of the kind it is sized for."""
    node = profile["node"]
    free = room(node["cpu"], node["memory_gib"])
    return int(
        min(
            free.cpu // profile["cpu_guarantee"],
            free.memory_mib // profile["memory_guarantee_mib"],
        )
    )
