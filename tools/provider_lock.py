"""Lock the providers of a folder of Terraform, with checksums for each platform.

    python tools/provider_lock.py FOLDER PLATFORM ... [-fs-mirror=FOLDER]

Run by `make provider-lock`, where the registry can be reached. Another release of the provider is
taken by removing the lock first, or by Dependabot's pull request.
"""

import sys
import tempfile
from pathlib import Path

from pangeo_deploy.terraform.engine import Terraform, find_engine


def lock(folder: Path, arguments: list[str]) -> None:
    """Write `folder`/.terraform.lock.hcl, and leave nothing else there."""
    with tempfile.TemporaryDirectory() as data:
        terraform = Terraform(find_engine(), folder, {"TF_DATA_DIR": data})
        terraform.read("get")  # which providers the modules need
        terraform.read("providers", "lock", *arguments)


if __name__ == "__main__":
    platforms = [each if each.startswith("-") else f"-platform={each}" for each in sys.argv[2:]]
    lock(Path(sys.argv[1]).resolve(), platforms)
