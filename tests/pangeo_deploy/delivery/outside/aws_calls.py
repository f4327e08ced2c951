"""Every request to the emulated account, whoever makes it, as AWS' own models name it.

Terraform's backend, boto3 and the `aws` program ask over the network, and the provider's stand-in
in the process that serves the account; both pass here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
import pytest

from emulated_aws import moto_app
from emulated_aws.api_requests import SERVICE, body_of

# By the name that a request is signed for, where botocore has it under another.
MODELS = {"elasticfilesystem": "efs", "tagging": "resourcegroupstaggingapi"}
# S3 says what it does by method and sub-resource alone; the names are those of the IAM actions
# (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
S3_OBJECT = {"HEAD": "GetObject", "GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
S3_BUCKET = {"HEAD": "ListBucket", "GET": "ListBucket", "PUT": "CreateBucket"}
S3_PART = {
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}


@dataclass(frozen=True)
class Call:
    """One request: who made it, of which service and where, what it does, with which parameters.

    `service` is as in IAM's actions. `params` are as sent: nested for JSON, flat names for a form.
    """

    role: str
    service: str
    region: str
    operation: str
    params: Mapping[str, Any]
    status: int

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


@contextmanager
def recorded(who: Callable[[], str]) -> Iterator[list[Call]]:
    """Record the requests made meanwhile, of whoever `who` names at that time."""
    made: list[Call] = []
    respond = moto_app.World.respond

    def noted(world: moto_app.World, environ: dict[str, Any]) -> Any:
        body, role = body_of(environ), who()
        answer = respond(world, environ)
        made.append(read(role, environ, body, int(answer[1].split()[0])))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto_app.World, "respond", noted)
        yield made


def read(role: str, environ: Mapping[str, Any], body: bytes, status: int) -> Call:
    """Tell what a request asks, by its signature and its service's protocol."""
    signed = SERVICE.search(environ["HTTP_AUTHORIZATION"])
    assert signed, environ["PATH_INFO"]
    region, service = signed[1], signed[2]
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if service == "s3":
        operation, params = _of_s3(method, path, query)
    elif target := environ.get("HTTP_X_AMZ_TARGET"):
        operation, params = target.rpartition(".")[2], json.loads(body or b"{}")
    elif form := dict(parse_qsl(body.decode("latin1"))):
        params = form if "Action" in form else {}
        operation = form.get("Action", "")
    else:
        operation, params = "", {}
    if not operation:
        operation, named = _by_address(service, method, path)
        params = {**query, **named, **(json.loads(body) if body else {})}
    return Call(role, service, region, operation, params, status)


def _of_s3(method: str, path: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    bucket, _, key = path.strip("/").partition("/")
    if key:
        return S3_OBJECT[method], {"Bucket": bucket, "Key": key}
    for part, name in S3_PART.items():
        if part in query:  # what is deleted is put, to IAM; a policy alone has an action of its own
            verb = "Get" if method == "GET" else "Put"
            verb = "Delete" if method == "DELETE" and part == "policy" else verb
            return f"{verb}{name}", {"Bucket": bucket}
    assert not set(query) - {"list-type", "prefix", "max-keys", "encoding-type", "x-id"}, query
    return S3_BUCKET[method], {"Bucket": bucket}


def _by_address(service: str, method: str, path: str) -> tuple[str, dict[str, str]]:
    for template, known, name in _addresses(service):
        if known == method and (found := template.fullmatch(path)):
            return name, found.groupdict()
    raise AssertionError(f"{service} has no {method} {path}")


@cache
def _addresses(service: str) -> list[tuple[re.Pattern[str], str, str]]:
    """Return the operations of a REST service, those with the longest address first.

    A path that the server has decoded may have a slash in a parameter, as ARNs do.
    """
    model = botocore.session.get_session().get_service_model(MODELS.get(service, service))
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        parts = re.split(r"\{(\w+)\+?\}", http["requestUri"].partition("?")[0])
        pattern = "".join(
            f"(?P<{part}>.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)
        )
        found.append((len("".join(parts[::2])), pattern, http["method"], name))
    ordered = sorted(found, reverse=True)
    return [(re.compile(pattern), method, name) for _, pattern, method, name in ordered]
