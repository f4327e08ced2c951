"""Parse API requests and write responses by AWS's own service models, which botocore has."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from emulated_aws.service_models import models

# The signing name, where it differs from botocore's service name.
SIGNED_AS = {
    "elasticfilesystem": "efs",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}


class Failure(Exception):
    """An AWS error for the caller: its code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Call:
    """One call of an operation, with parameters as boto3 names them."""

    service: str
    operation: str
    parameters: dict[str, Any]
    account_id: str
    region: str

    def arn(self, resource: str, *, regional: bool = True) -> str:
        """Return the ARN of one of the service's resources."""
        region = self.region if regional else ""
        return f"arn:aws:{self.service}:{region}:{self.account_id}:{resource}"


@cache
def model_of(service: str) -> ServiceModel | None:
    """Return the model of a service by the name that signs its requests, None if there is none."""
    session = botocore.session.Session()
    session.register_component("data_loader", models())
    name = SIGNED_AS.get(service, service)
    try:
        return session.get_service_model(name)
    except Exception:  # botocore raises one of several errors if there is no model
        return None


@cache
def routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return (method, path pattern, operation) of a service whose operations differ by path."""
    model = model_of(service)
    found = []
    for name in model.operation_names if model else ():
        http = model.operation_model(name).http  # type: ignore[union-attr]
        path = re.split(r"[?]", http["requestUri"])[0]
        pattern = re.sub(
            r"\{(\w+)(\+?)\}", lambda part: f"(?P<{part[1]}>{'.+' if part[2] else '[^/]+'})", path
        )
        found.append((http["method"], re.compile(pattern.rstrip("/") + "/?$"), name))
    return sorted(found, key=lambda route: -len(route[1].pattern))


# Returned by an operation that leaves this call to moto.
DECLINED = object()


def read_operation(
    service: str, environ: Mapping[str, Any], body: bytes
) -> tuple[str, dict[str, Any]]:
    """Return the operation that a request calls and its parameters; "" for an unknown one."""
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        return target.rpartition(".")[2], json.loads(body or b"{}")
    model = model_of(service)
    if model is None or not model.metadata["protocol"].startswith("rest"):
        asked = parse_qs(body.decode(errors="replace") or environ.get("QUERY_STRING", ""))
        return asked.get("Action", [""])[0], {}
    path = environ.get("RAW_URI", environ["PATH_INFO"]).partition("?")[0]
    path = re.sub(r"^https?://[^/]+", "", path)
    for method, pattern, name in routes(service):
        if method == environ["REQUEST_METHOD"] and (found := pattern.match(path)):
            parameters = rest_parameters(model.operation_model(name), found, environ, body)
            return name, parameters
    return "", {}


def rest_parameters(
    operation: OperationModel, found: re.Match[str], environ: Mapping[str, Any], body: bytes
) -> dict[str, Any]:
    """Return the parameters of an operation from path, query and body."""
    shape = operation.input_shape
    if shape is None:
        return {}
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    content = json.loads(body) if body[:1] == b"{" else {}
    parameters: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        where = member.serialization.get("location")
        if where == "uri":
            parameters[name] = unquote(found[wire])
        elif where == "querystring" and wire in query:
            parameters[name] = query[wire] if member.type_name == "list" else query[wire][0]
        elif where is None and wire in content:
            parameters[name] = content[wire]
    return parameters


Answer = tuple[list[bytes], str, list[tuple[str, str]]]


def answer(service: str, operation: str, result: Mapping[str, Any]) -> Answer:
    """Return a result as the service's JSON response."""
    model = model_of(service)
    shape = model.operation_model(operation).output_shape if model else None
    body = json.dumps(wire_form(shape, result, timestamps(model)) if shape else {}).encode()
    kind = "application/json" if service == "eks" else "application/x-amz-json-1.1"
    return [body], "200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))]


def timestamps(model: ServiceModel | None) -> str:
    """Return a service's default timestamp format."""
    return "" if model is None else str(model.metadata.get("timestampFormat", "unixTimestamp"))


def wire_form(shape: Shape, value: Any, time_format: str) -> Any:
    """Return a value in the wire format of its shape."""
    if value is None:
        return None
    if shape.type_name == "structure":
        return {
            member.serialization.get("name", name): wire_form(member, value[name], time_format)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [wire_form(shape.member, item, time_format) for item in value]
    if shape.type_name == "map":
        return {key: wire_form(shape.value, item, time_format) for key, item in value.items()}
    if shape.type_name == "timestamp":
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        form = shape.serialization.get("timestampFormat", time_format)
        return at.timestamp() if form == "unixTimestamp" else at.astimezone(UTC).isoformat()
    return value


def refuse(service: str, failure: Failure) -> Answer:
    """Return an error response in the form of the service."""
    model = model_of(service)
    protocol = str(model.metadata["protocol"]) if model else "json"
    code, message = failure.code, failure.message
    headers = [("Content-Type", "text/xml")]
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol in ("json", "rest-json"):
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
        text = json.dumps({"__type": code, "message": message, "Message": message})
    elif protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors></Response>"
    elif service == "s3":
        text = f"<Error>{error}</Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
    body = text.encode()
    reason = {400: "BAD REQUEST", 404: "NOT FOUND", 409: "CONFLICT"}.get(failure.status, "ERROR")
    return [body], f"{failure.status} {reason}", [*headers, ("Content-Length", str(len(body)))]
