"""Who the credentials at hand are, and whether a deployment may use them."""

from dataclasses import dataclass
from typing import Any

from pangeo_core.errors import BadInput, MissingPrerequisite

# What AWS answers to credentials that were good once.
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
SIGN_IN = "Sign in again, for example: aws sso login"


@dataclass(frozen=True)
class Identity:
    """An AWS account and who is acting in it."""

    account_id: str
    arn: str
    region: str


def open_session() -> Any:
    """Return a boto3 Session of the credentials at hand; `BadInput` for a profile there is not."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session()
    except BotoCoreError as error:
        raise BadInput(
            "The AWS settings of this shell cannot be used.",
            why=str(error),
            fix="Correct AWS_PROFILE, or the file it is looked for in.",
        ) from error


def whoami(session: Any) -> Identity:
    """Ask AWS who the credentials of `session` (a boto3 Session) belong to.

    Raises `MissingPrerequisite` where there are none, where they expired or are not accepted, or
    where no region is set.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if session.get_credentials() is None:
        raise MissingPrerequisite("There are no AWS credentials.", fix=SIGN_IN)
    if not session.region_name:
        raise MissingPrerequisite(
            "No AWS region is set.", fix="Set AWS_REGION to the deployment's region."
        )
    try:
        found = session.client("sts").get_caller_identity()
    except ClientError as error:
        expired = error.response["Error"]["Code"] in EXPIRED
        what = "The AWS credentials have expired." if expired else "AWS refuses the credentials."
        raise MissingPrerequisite(what, why=str(error), fix=SIGN_IN) from error
    except BotoCoreError as error:
        raise MissingPrerequisite("AWS cannot be asked who this is.", why=str(error)) from error
    return Identity(found["Account"], found["Arn"], session.region_name)


def require_account(identity: Identity, account_id: str | None) -> None:
    """Refuse an account that is not the one the environment names; None: it names none."""
    if account_id and identity.account_id != account_id:
        raise BadInput(
            f"These credentials are of account {identity.account_id}, "
            f"and this environment lives in {account_id}.",
            why=f"They belong to {identity.arn}. Nothing was planned.",
            fix="Use the profile of the right account, or correct account_id in the tfvars file.",
        )
