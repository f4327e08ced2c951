"""Write data/instances.csv from AWS' DescribeInstanceTypes, as it is shipped with moto.

python tools/read_instances.py
"""

import csv
import gzip
import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

COLUMNS = ("instance_type", "vcpus", "memory_gib", "max_pods")


def main() -> None:
    """Write one row for each instance type."""
    source = files("moto") / "ec2" / "resources" / "instance_types.json.gz"
    types = json.loads(gzip.decompress(source.read_bytes()))
    out = Path(__file__).parents[1] / "data" / "instances.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# AWS' DescribeInstanceTypes as shipped with moto {version('moto')} (Apache-2.0).\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, described in sorted(types.items()):
            network = described["NetworkInfo"]
            cards = network.get("NetworkCards") or [network]
            interfaces = cards[network.get("DefaultNetworkCardIndex", 0)]
            addresses = network["Ipv4AddressesPerInterface"] - 1
            writer.writerow(
                (
                    name,
                    described["VCpuInfo"]["DefaultVCpus"],
                    f"{described['MemoryInfo']['SizeInMiB'] / 1024:g}",
                    interfaces["MaximumNetworkInterfaces"] * addresses + 2,
                )
            )


if __name__ == "__main__":
    main()
