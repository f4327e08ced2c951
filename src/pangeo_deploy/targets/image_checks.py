"""Checks whether the images in the values exist, for registries that can be queried."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import requests

from pangeo_deploy.charts.trees import Values
from pangeo_deploy.targets.check import Check

__all__ = ["ami", "images"]

TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SCHEME, TIMEOUT_SECONDS = "https", 15.0
OK, UNAUTHORIZED, MISSING = 200, 401, 404
PARAMETER = re.compile(r'(\w+)="([^"]*)"')  # of a registry's WWW-Authenticate
# Where AWS publishes AMI ids for EKS, and Karpenter looks up an alias.
AMI = (
    "/aws/service/eks/optimized-ami/{kubernetes}/amazon-linux-2023/x86_64/standard/"
    "amazon-eks-node-al2023-x86_64-standard-{kubernetes}-{version}/image_id"
)


def images(values: Values) -> Iterator[Check]:
    """Yield whether the images in an environment's `pangeo` values exist."""
    for name in dict.fromkeys((values["pangeo"]["image"], values["janitor"]["image"])):
        yield _image(str(name))


def _image(image: str) -> Check:
    registry, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    address = f"{SCHEME}://{registry}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(TYPES)}
    check = f"image {image}"
    try:
        answer = requests.head(address, headers=headers, timeout=TIMEOUT_SECONDS)
        if answer.status_code == UNAUTHORIZED:
            token = _anonymous(answer.headers.get("WWW-Authenticate", ""))
            headers["Authorization"] = f"Bearer {token}"
            answer = requests.head(address, headers=headers, timeout=TIMEOUT_SECONDS)
    except (requests.RequestException, KeyError, ValueError) as error:
        return Check(check, False, f"{registry} cannot be asked: {error}", required=False)
    if answer.status_code == MISSING:
        return Check(check, False, f"{registry} has no such tag", "Choose a tag that is there.")
    told = f"{registry} answers {answer.status_code}"
    return Check(check, answer.status_code == OK, told, required=False)


def _anonymous(challenge: str) -> str:
    """Return an anonymous token from the service that the registry names."""
    told = dict(PARAMETER.findall(challenge))
    asked = urlencode({key: told[key] for key in ("service", "scope") if key in told})
    answer = requests.get(f"{told['realm']}?{asked}", timeout=TIMEOUT_SECONDS).json()
    return str(answer.get("token") or answer["access_token"])


def ami(session: Any, alias: str, kubernetes: str) -> Check:
    """Return whether AWS publishes the AMI of a Karpenter alias, such as al2023@v20260801."""
    from botocore.exceptions import BotoCoreError, ClientError

    version = alias.partition("@")[2]
    name = f"AMI {alias} for Kubernetes {kubernetes}"
    try:
        parameter = AMI.format(kubernetes=kubernetes, version=version)
        found = session.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code == "ParameterNotFound":
            fix = "Choose a release that AWS lists, in helm/support/values.yaml (cluster.ami)."
            return Check(name, False, "AWS publishes no such AMI", fix)
        return Check(name, False, f"cannot be asked: {error}", required=False)
    return Check(name, True, str(found))
