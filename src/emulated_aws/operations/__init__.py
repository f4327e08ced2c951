"""Operations that moto lacks, served as AWS serves them and saved with the account.

To add one: write a function of `Things` and `Call` that returns what boto3 would, or raises
`Failure`, and add it to the table of its service. Requests are parsed and responses written by
AWS's own model of the service.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulated_aws.operations import billing, ecr, eks
from emulated_aws.operations.protocol import DECLINED, Answer, answer, read_operation
from emulated_aws.operations.protocol import Call as Call
from emulated_aws.operations.protocol import Failure as Failure
from emulated_aws.operations.protocol import refuse as refuse
from emulated_aws.operations.store import Things as Things

Operation = Callable[[Things, Call], Any]
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "bcm-data-exports": billing.DATA_EXPORTS,
    "ce": billing.COST_EXPLORER,
    "ecr": ecr.OPERATIONS,
    "eks": eks.OPERATIONS,
}


def perform(things: Things, call: Call) -> Answer | None:
    """Return the response to a call, or AWS's error; None if moto is to answer it."""
    operation = OPERATIONS.get(call.service, {}).get(call.operation)
    if operation is None:
        return None
    try:
        result = operation(things, call)
    except Failure as failure:
        return refuse(call.service, failure)
    except (KeyError, TypeError) as error:
        problem = f"{call.operation}: a parameter is missing or of another form: {error}"
        return refuse(call.service, Failure("ValidationException", problem))
    return None if result is DECLINED else answer(call.service, call.operation, result)


def tagged(things: Things, region: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the ARN and tags of these operations' resources in a region, for the tagging API."""
    yield from eks.tagged(things, region)
    yield from billing.tagged_in(things, region)


def read_call(service: str, region: str, account_id: str, environ: Any, body: bytes) -> Call:
    """Return the operation that a request calls and its parameters."""
    operation, parameters = read_operation(service, environ, body)
    return Call(service, operation, parameters, account_id, region)
