"""Machine types by the rule of their names, against AWS' own list, and what EKS leaves for pods."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from hub_costs.machines import machine, room
from pangeo_core.errors import BadInput

LIST = Path(__file__).parents[2] / "data" / "instances.csv"
ROWS = list(csv.DictReader(line for line in LIST.read_text().splitlines() if line[0] != "#"))


def test_the_rule_gives_what_aws_lists_for_every_type_that_we_list():
    assert len(ROWS) > 100
    for row in ROWS:
        listed = int(row["vcpus"]), Decimal(row["memory_gib"]), int(row["max_pods"])
        assert machine(row["instance_type"]) == listed, row["instance_type"]


def test_a_type_outside_the_list_follows_the_rule_and_an_unknown_family_is_refused():
    assert machine("r5.12xlarge")[:2] == (48, 384)
    with pytest.raises(BadInput, match="not known"):
        machine("z1d.huge")


def test_a_node_keeps_what_eks_and_karpenter_keep():
    """The figures of the AMI's formula for 8 vCPUs and 58 pods, written out."""
    cpu, memory = room(machine("r5.2xlarge"), daemons=False)
    assert cpu == 8 - Decimal("0.06") - Decimal("0.01") - Decimal("0.01") - Decimal("0.01")
    assert memory == 64 * 1024 * Decimal("0.925") - (255 + 11 * 58 + 100)
    assert room(machine("r5.2xlarge")) == (cpu - Decimal("0.25"), memory - 400)
