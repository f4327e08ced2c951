"""What an EC2 instance type has, and how many pods of a size EKS with Karpenter runs on one.

Types are rows of data/instances.csv, AWS' own list. What a node keeps from pods follows three
sources, read in 2026:

- awslabs/amazon-eks-ami, nodeadm/internal/kubelet/config.go (01375496): parts of the first vCPUs
  and of each further one, 255 MiB and 11 MiB for each pod that the node may hold, and 100 MiB
  before pods are evicted. aws/karpenter-provider-aws, pkg/providers/instancetype/types.go
  (027ed241), reckons the same.
- the same file, `memory`: Karpenter takes 7.5 % off the memory that AWS prints, for firmware and
  kernel (`vmMemoryOverheadPercent`, its default and ours). A pod that only fits without this starts
  no node. After the first node of a type, Karpenter goes by what that node reported, which is more:
  7.5 % is the safe side. (Of a Graviton it takes another 64 MiB, which is not counted here.)
- the DaemonSets of our own charts and add-ons, below.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hub_costs import data_files
from pangeo_core.errors import BadInput

__all__ = ["machine", "room"]

_KUBELET_CPU, _KUBELET_CPU_REST = ("0.06", "0.01", "0.005", "0.005"), Decimal("0.0025")
_KUBELET_MIB, _KUBELET_MIB_PER_POD = 255 + 100, 11
_MEMORY_OVERHEAD = Decimal("0.075")


class Room(NamedTuple):
    """Cores, MiB and number of pods."""

    cpu: Decimal
    memory_mib: Decimal
    pods: int


class Machine(NamedTuple):
    """A machine type: vCPUs, GiB as AWS prints them, and the pods that its network allows."""

    vcpus: int
    memory_gib: Decimal
    max_pods: int


# What the DaemonSets of a user node request together: aws-node, kube-proxy, the EFS and
# pod-identity agents, node exporter, and the image puller. Three of them are pods that count.
DAEMONS = Room(Decimal("0.25"), Decimal(400), 3)
NO_DAEMONS = Room(Decimal(0), Decimal(0), 0)


@cache
def machines(path: Path | None = None) -> Mapping[str, Machine]:
    """Return every type of data/instances.csv, or of the file `path`.

    Raises `BadInput` naming a row that is not whole.
    """
    path = path or data_files.find("instances.csv")
    types: dict[str, Machine] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            try:
                size = int(row["vcpus"]), Decimal(row["memory_gib"]), int(row["max_pods"])
                types[row["instance_type"]] = Machine(*size)
            except (KeyError, TypeError, ValueError, InvalidOperation):
                raise BadInput(
                    f"{path.name}: the row of {row.get('instance_type')!r} is broken.",
                    fix=f"Its columns are instance_type, {', '.join(Machine._fields)}.",
                ) from None
    return types


def machine(instance_type: str) -> Machine:
    """Return what a type such as `r5.xlarge` has. Raises `BadInput` for one that is not listed."""
    known = machines()
    if instance_type in known:
        return known[instance_type]
    family = instance_type.split(".")[0]
    near = [name for name in known if name.split(".")[0] == family]
    raise BadInput(
        f"The size of a machine of type {instance_type!r} is not known.",
        why=f"data/instances.csv has: {', '.join(near or list(known)[:8])} ...",
        fix="Use one of those, or add its row to data/instances.csv.",
    )


def of_size(vcpus: int, memory_gib: Decimal) -> Machine:
    """Return a machine of this size, with the number of pods that most types of it have.

    Raises `BadInput` where no type has this size.
    """
    same = [m for m in machines().values() if (m.vcpus, m.memory_gib) == (vcpus, memory_gib)]
    if not same:
        raise BadInput(
            f"There is no instance type with {vcpus} vCPUs and {memory_gib} GiB.",
            fix="Give the size of a type in data/instances.csv.",
        )
    return Counter(same).most_common(1)[0][0]


def room(of: Machine, daemons: Room = DAEMONS) -> Room:
    """Return what a node has for pods beside `daemons`; negative where these do not fit."""
    cpu = of.vcpus - sum((Decimal(part) for part in _KUBELET_CPU[: of.vcpus]), Decimal(0))
    cpu -= _KUBELET_CPU_REST * max(0, of.vcpus - len(_KUBELET_CPU))
    memory = of.memory_gib * 1024 * (1 - _MEMORY_OVERHEAD)
    memory -= _KUBELET_MIB + _KUBELET_MIB_PER_POD * of.max_pods
    return Room(cpu - daemons.cpu, memory - daemons.memory_mib, of.max_pods - daemons.pods)


def fits(of: Machine, cpu_cores: Decimal, memory_mib: Decimal, daemons: Room = DAEMONS) -> int:
    """Return how many pods that ask for this much run on one node."""
    free = room(of, daemons)
    counts = [Decimal(free.pods)]
    counts += [free.cpu // cpu_cores] if cpu_cores else []
    counts += [free.memory_mib // memory_mib] if memory_mib else []
    return max(0, int(min(counts)))
