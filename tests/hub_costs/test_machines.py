"""Machine types by AWS' own list, and what EKS leaves for pods."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.machines import NO_DAEMONS, fits, machine, of_size, room
from hub_costs.whatif.config import Pool
from hub_costs.whatif.replay import allocatable
from pangeo_core.errors import BadInput

LIST = Path(__file__).parents[2] / "data" / "instances.csv"
ROWS = list(csv.DictReader(line for line in LIST.read_text().splitlines() if line[0] != "#"))


def test_every_type_is_what_the_table_says():
    assert len(ROWS) > 1000
    for row in ROWS:
        listed = int(row["vcpus"]), Decimal(row["memory_gib"]), int(row["max_pods"])
        assert machine(row["instance_type"]) == listed, row["instance_type"]


def test_an_unknown_type_is_refused_with_its_family():
    with pytest.raises(BadInput, match="not known") as caught:
        machine("r5.huge")
    assert "r5.2xlarge" in caught.value.why
    assert machine("p5.48xlarge").vcpus == 192


def test_what_if_and_estimate_agree_on_what_fits():
    """An r5a.2xlarge holds seven servers of 7,500 MiB: by Karpenter's sources, in every place."""
    of, asked = machine("r5a.2xlarge"), Decimal(7500)
    assert fits(of, Decimal("0.5"), asked) == 7
    pool = Pool(name="users", kinds=("notebook",), instance_types=("r5a.2xlarge",))
    cpu, memory, pods = allocatable(of, pool)
    free = room(of)
    assert (cpu, memory, pods) == (int(free.cpu * 1000), int(free.memory_mib), free.pods)
    assert memory // asked == 7


def test_pods_are_bound_by_the_network_too():
    of = machine("m5.large")
    assert fits(of, Decimal("0.01"), Decimal(1)) == 29 - 3
    assert fits(of, Decimal(4), Decimal(1)) == 0


def test_a_size_has_the_pods_that_most_of_its_types_have():
    assert of_size(8, Decimal(64)) == machine("r5.2xlarge")
    with pytest.raises(BadInput, match="no instance type"):
        of_size(7, Decimal(64))


def test_a_node_keeps_what_eks_and_karpenter_keep():
    """The figures of the AMI's formula for 8 vCPUs and 58 pods, written out."""
    cpu, memory, pods = room(machine("r5.2xlarge"), NO_DAEMONS)
    assert cpu == 8 - Decimal("0.06") - Decimal("0.01") - Decimal("0.01") - Decimal("0.01")
    assert memory == 64 * 1024 * Decimal("0.925") - (255 + 11 * 58 + 100)
    assert room(machine("r5.2xlarge")) == (cpu - Decimal("0.25"), memory - 400, pods - 3)
