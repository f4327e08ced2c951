"""The rehearsal's stand-in for the EKS Pod Identity agent, which gives servers credentials.

    python -m local_hub.pod_identity

On AWS the agent of the node gives each pod temporary credentials of a role, tagged with the pod's
name, and the role's policy lets it reach `users/<pod>/` and `shared/` of the scratch bucket
(terraform/modules/identity). The SDKs find the agent through `AWS_CONTAINER_CREDENTIALS_FULL_URI`,
so that code in a notebook does nothing special and credentials are renewed automatically. Here a
service of the hub answers at that address. The hub identifies the caller by the server's token; the
credentials come from the rehearsal's STS, with the same rights in a session policy, since moto does
not support session tags. A server launched by Binder has no service account on AWS, and gets no
credentials here.

Environment: `PANGEO_SCRATCH_BUCKET`, `PANGEO_SCRATCH_ROLE` (an ARN), `JUPYTERHUB_*`, AWS's own.
"""

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlparse

import boto3
import requests
from jupyterhub.services.auth import HubAuth, HubAuthenticated
from tornado.web import Application, HTTPError, RequestHandler

from local_hub.hub_state import pod_name
from pangeo_core.lifeline import die_with_parent

LIFETIME_SECONDS = 3600
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38})")  # no character that has a meaning in policies
OBJECT_ACTIONS = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
]


def policy(bucket: str, user: str) -> dict[str, Any]:
    """Return the policy of a user's server, the same as for its pod in terraform/modules/identity.

    Raises ValueError for a name with a character that has a meaning in policies.
    """
    if not NAME.fullmatch(user):
        raise ValueError("not a user's name")
    prefixes = [f"users/{pod_name(user)}/*", "shared/*"]
    arn = f"arn:aws:s3:::{bucket}"
    objects = {"Action": OBJECT_ACTIONS, "Resource": [f"{arn}/{prefix}" for prefix in prefixes]}
    within = {"StringLike": {"s3:prefix": prefixes}}
    listing = {"Action": "s3:ListBucket", "Resource": arn, "Condition": within}
    statements = [{"Effect": "Allow", **statement} for statement in (objects, listing)]
    return {"Version": "2012-10-17", "Statement": statements}


class Credentials(HubAuthenticated, RequestHandler):  # type: ignore[misc]
    """Answers requests for credentials."""

    def initialize(self, sts: Any, bucket: str, role: str) -> None:
        """Store the application's settings."""
        self.sts, self.bucket, self.role = sts, bucket, role

    async def get(self) -> None:
        """Return credentials for the server of the token's user."""
        user = self.get_current_user()
        if not user or user["kind"] != "user":
            raise HTTPError(403)
        if await self.in_turn(launched_by_binder, self.hub_auth, user["name"]):
            raise HTTPError(403)
        try:
            rights = json.dumps(policy(self.bucket, user["name"]))
        except ValueError:
            raise HTTPError(403) from None
        assume = partial(
            self.sts.assume_role,
            RoleArn=self.role,
            RoleSessionName=user["name"],
            Policy=rights,
            DurationSeconds=LIFETIME_SECONDS,
        )
        answer = (await self.in_turn(assume))["Credentials"]
        self.set_header("Cache-Control", "no-store")
        self.write(
            {
                "AccessKeyId": answer["AccessKeyId"],
                "SecretAccessKey": answer["SecretAccessKey"],
                "Token": answer["SessionToken"],
                "Expiration": answer["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    async def in_turn(self, call: Callable[..., Any], *given: Any) -> Any:
        """Return the result of a blocking call, run in a thread."""
        return await asyncio.get_running_loop().run_in_executor(None, call, *given)


def launched_by_binder(hub: HubAuth, user: str) -> bool:
    """Return whether Binder launched the user's server. Raises HTTP 502 without an answer."""
    headers = {"Authorization": f"token {hub.api_token}"}
    try:
        answer = requests.get(f"{hub.api_url}/users/{user}", headers=headers, timeout=10)
        answer.raise_for_status()
    except requests.RequestException:
        raise HTTPError(502) from None
    servers = answer.json().get("servers", {}).values()
    return any("image" in (server.get("user_options") or {}) for server in servers)


class Health(RequestHandler):
    """Answers health checks."""

    def get(self) -> None:
        """Return an empty response."""
        self.set_status(204)


async def serve() -> None:
    """Serve until the process ends."""
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    here = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    known = {
        "sts": boto3.client("sts"),
        "bucket": os.environ["PANGEO_SCRATCH_BUCKET"],
        "role": os.environ["PANGEO_SCRATCH_ROLE"],
    }
    Application(
        [(f"{prefix}credentials", Credentials, known), (f"{prefix}health", Health)],
        log_function=lambda handler: None,  # a request's headers hold a token
    ).listen(here.port or 80, here.hostname)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
