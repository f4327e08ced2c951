"""Convert errors to the diagnostics of Terraform's plugin protocol."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from tf.gen import tfplugin_pb2 as pb

from emulated_aws.resources.base import Refused, Steps
from pangeo_core.errors import PangeoDeployError


def guarded(answer: Callable[[], Any], response: Any, doing: str) -> Any:
    """Return the method's response, or its error as a diagnostic."""
    try:
        return answer()
    except Exception as error:  # whatever it is, Terraform should show it
        return response(diagnostics=[as_diagnostic(error, doing)])


def as_diagnostic(error: Exception, doing: str = "") -> pb.Diagnostic:
    """Return an error as a diagnostic for Terraform to show."""
    if isinstance(error, Refused):
        return pb.Diagnostic(
            severity=pb.Diagnostic.ERROR,
            summary=error.summary,
            detail=error.detail,
            attribute=as_path(error.steps) if error.steps else None,
        )
    if isinstance(error, EndpointConnectionError):
        detail = "The process that served the rehearsal's account has ended. Run this again."
    elif isinstance(error, ClientError | BotoCoreError | PangeoDeployError):
        detail = str(error)
    else:
        detail = f"A bug in the rehearsal's stand-in: {type(error).__name__}: {error}"
    return pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=doing, detail=detail)


def as_path(steps: Steps) -> pb.AttributePath:
    """Return an attribute's path in the protocol's form."""
    return pb.AttributePath(
        steps=[
            {"element_key_int": step} if isinstance(step, int) else {"attribute_name": step}
            for step in steps
        ]
    )
