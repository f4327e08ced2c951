"""AWS's tables as the rehearsal reads them: the same content as boto3's and moto's own reading."""

import json
import subprocess
import sys
from typing import Any

from botocore.loaders import Loader
from moto.iam.aws_managed_policies import aws_managed_policies_data

from emulated_aws import service_models


def without_texts(model: Any) -> Any:
    if isinstance(model, dict):
        return {
            name: "" if name == "documentation" and isinstance(value, str) else without_texts(value)
            for name, value in model.items()
        }
    return [without_texts(one) for one in model] if isinstance(model, list) else model


def test_a_service_model_lacks_only_its_documentation() -> None:
    for service in ("eks", "sts"):
        whole = Loader().load_service_model(service, "service-2")
        lean = service_models.models().load_service_model(service, "service-2")
        assert lean == without_texts(whole)
        assert lean != whole
    assert service_models.models().load_service_model("sts", "service-2") is lean


def test_a_policy_of_aws_is_found_among_all() -> None:
    every = json.loads(aws_managed_policies_data)
    for name in [*sorted(every)[::100], "AmazonEKSClusterPolicy"]:
        assert service_models.policy_of_aws(name) == every[name]
    assert service_models.policy_of_aws("Statement") is None  # a key further in
    assert service_models.policy_of_aws("NoSuchPolicy") is None


OFFERED = """
import boto3, json, sys
from emulated_aws import account, moto_memory, service_models
if sys.argv[1] == "lean":
    for _ in range(2):
        with moto_memory.repaired(account.isolated_session()):
            pass
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS as found
read = [len(one._read) for one in found.values() if isinstance(one, service_models.Offered)]
regions = {kind: sorted(one) for kind, one in found.items()}
print(json.dumps([read, regions, found["availability-zone"]["us-west-2"]]))
"""


def test_what_ec2_offers_is_read_by_region_when_asked() -> None:
    told = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", OFFERED, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("lean", "whole")
    ]
    assert told[0][1:] == told[1][1:]
    assert len(told[0][2]) > 1000
    assert (told[0][0], told[1][0]) == ([0, 0, 0], [])
