"""The scratch service: temporary AWS credentials that reach only the asker's own prefix.

A hub service. Who asks is told by the hub from the token; what comes back is the form in which the
AWS SDKs take credentials from `AWS_CONTAINER_CREDENTIALS_FULL_URI`, so that code in a notebook does
nothing special and credentials renew themselves.

Environment: `PANGEO_SCRATCH_BUCKET`, `PANGEO_SCRATCH_ROLE` (the ARN to assume),
`PANGEO_SCRATCH_SECONDS` (how long credentials live), the hub's `JUPYTERHUB_*`, AWS's own.
"""

import asyncio
import json
import logging
import os
import re
from functools import partial
from urllib.parse import urlparse

import boto3
from jupyterhub.services.auth import HubAuthenticated
from tornado.web import Application, HTTPError, RequestHandler

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38})")  # no character that means something in a policy
OBJECT_ACTIONS = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]
log = logging.getLogger("scratch")


def policy(bucket, user):
    """Return the session policy that leaves of the role's rights only those on the user's prefix.

    Raises ValueError for a name with a character that a policy would interpret.
    """
    if not NAME.fullmatch(user):
        raise ValueError("not a user's name")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": OBJECT_ACTIONS,
                "Resource": f"arn:aws:s3:::{bucket}/{user}/*",
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:aws:s3:::{bucket}",
                "Condition": {"StringLike": {"s3:prefix": [f"{user}/*"]}},
            },
        ],
    }


class Credentials(HubAuthenticated, RequestHandler):
    """Gives the asker credentials."""

    def initialize(self, sts, bucket, role, seconds):
        """Take what the application knows."""
        self.sts, self.bucket, self.role, self.seconds = sts, bucket, role, seconds

    async def get(self):
        """Answer with credentials for the prefix of the user whose token it is."""
        user = self.get_current_user()
        if not user or user["kind"] != "user":
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
            DurationSeconds=self.seconds,
        )
        answer = (await asyncio.get_running_loop().run_in_executor(None, assume))["Credentials"]
        log.info("credentials for %s until %s", user["name"], answer["Expiration"])
        self.set_header("Cache-Control", "no-store")
        self.write(
            {
                "AccessKeyId": answer["AccessKeyId"],
                "SecretAccessKey": answer["SecretAccessKey"],
                "Token": answer["SessionToken"],
                "Expiration": answer["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


class Health(RequestHandler):
    """Says that the service answers."""

    def get(self):
        """Answer with nothing."""
        self.set_status(204)


async def serve():
    """Serve until the process ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/services/scratch/")
    here = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    known = {
        "sts": boto3.client("sts"),
        "bucket": os.environ["PANGEO_SCRATCH_BUCKET"],
        "role": os.environ["PANGEO_SCRATCH_ROLE"],
        "seconds": int(os.environ["PANGEO_SCRATCH_SECONDS"]),
    }
    Application(
        [(f"{prefix}credentials", Credentials, known), (f"{prefix}health", Health)],
        log_function=lambda handler: None,  # a request's headers hold a token
    ).listen(here.port, here.hostname)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
