"""BinderHub's way into ECR: a password of twelve hours, from the pod's own identity.

The chart runs this file beside binder.py. BinderHub knows registries with a password that stays.
ECR gives one that does not, to whoever signs the request for it, and the image of BinderHub has no
AWS library: the signature (AWS' Signature Version 4) is made here. The prefix of images names the
registry's host and region. Builds get the password from BinderHub and push with it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from pathlib import Path

from binderhub.registry import DockerRegistry

TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
RENEWED_SECONDS = 6 * 3600  # half of what it is good for
BODY = b"{}"

host = json.loads(os.environ["PANGEO_SETTINGS"])["binder"]["registry_prefix"].partition("/")[0]


def identity():
    """Return the credentials that EKS Pod Identity gives this pod."""
    token = Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
    address = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    request = urllib.request.Request(address, headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def signed(address, region, credentials, moment):
    """Return the headers of a signed request for a password; `moment` is UTC as a struct_time."""
    day, at = time.strftime("%Y%m%d", moment), time.strftime("%Y%m%dT%H%M%SZ", moment)
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": address,
        "x-amz-date": at,
        "x-amz-security-token": credentials["Token"],
        "x-amz-target": TARGET,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    digest = hashlib.sha256(BODY).hexdigest()
    canonical = f"POST\n/\n\n{lines}\n{names}\n{digest}"
    scope = f"{day}/{region}/ecr/aws4_request"
    whole = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{whole}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    who = f"Credential={credentials['AccessKeyId']}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def new_password():
    """Return a password for the user AWS of the registry."""
    region = host.split(".")[3]
    address = f"api.ecr.{region}.amazonaws.com"
    headers = signed(address, region, identity(), time.gmtime())
    request = urllib.request.Request(f"https://{address}/", BODY, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        told = json.load(answer)["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(told).decode().partition(":")[2]


class ECR(DockerRegistry):
    """A registry whose password is renewed before it ends."""

    renewed = 0.0

    async def renew(self):
        """Have a password that is good for hours."""
        if time.monotonic() > self.renewed + RENEWED_SECONDS or not self.renewed:
            loop = asyncio.get_running_loop()
            self.username, self.password = "AWS", await loop.run_in_executor(None, new_password)
            self.renewed = time.monotonic()

    async def get_image_manifest(self, image, tag):
        """Return the image's manifest, None if there is no such image."""
        await self.renew()
        return await super().get_image_manifest(image, tag)

    async def get_credentials(self, image, tag):
        """Return what a build pushes with."""
        await self.renew()
        return {"registry": self.url, "username": self.username, "password": self.password}


if ".dkr.ecr." in host:
    c.BinderHub.registry_class = ECR
    c.DockerRegistry.url = f"https://{host}"
    c.DockerRegistry.token_url = ""
