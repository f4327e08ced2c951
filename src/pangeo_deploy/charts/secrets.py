"""What the cluster must hold before the charts: namespaces, the login, the hub's own keys."""

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from pangeo_core.errors import BadInput, MissingPrerequisite
from pangeo_deploy.charts.programs import apply, get
from pangeo_deploy.charts.render import NAMESPACES
from pangeo_deploy.charts.trees import Values, at
from pangeo_deploy.charts.values import settings
from pangeo_deploy.deployment import Deployment

__all__ = [
    "ReadSecret",
    "apply_login",
    "ensure_grafana_login",
    "ensure_hub_secret",
    "local_password",
    "login_secret",
    "redacted",
    "restore_proxy_token",
    "secret_reader",
    "service_token",
    "share_metrics_token",
    "with_hub_secret",
]

HUB = "pangeo-hub"  # the Secret with the hub's keys, as the values name it
LOGIN = "pangeo-login"  # the Secret that the hub's environment reads
LOGIN_KEYS = {"client-id": "OAUTH_CLIENT_ID", "client-secret": "OAUTH_CLIENT_SECRET"}
# The Secret that Prometheus mounts, and where the hub's Secret keeps what it holds.
METRICS, METRICS_KEY = "hub-metrics", "hub.services.prometheus.apiToken"
PROXY_TOKEN = "hub.config.ConfigurableHTTPProxy.auth_token"  # noqa: S105 - its name
HUB_KEYS = (PROXY_TOKEN, "hub.config.JupyterHub.cookie_secret", "hub.config.CryptKeeper.keys")
SECRET_NAME = re.compile(r"secret|token|password|credential|private|api_?key", re.IGNORECASE)
ELSEWHERE = "0" * 64  # where the chart wants a key that the hub reads from our Secret

ReadSecret = Callable[[str], str]


def login_secret(
    deployment: Deployment, outputs: Mapping[str, Any], read_secret: ReadSecret | None
) -> dict[str, str]:
    """Return GitHub's client id and secret: from the environment, else from Secrets Manager.

    The login `local` has a password in their place, drawn once and kept in the cluster.
    """
    if settings(deployment.project, deployment.environment)["login"]["provider"] == "local":
        return {"client-id": "local", "client-secret": local_password() or secrets.token_hex(8)}
    if all(os.environ.get(name) for name in LOGIN_KEYS.values()):
        return {key: os.environ[name] for key, name in LOGIN_KEYS.items()}
    if read_secret is None:
        raise MissingPrerequisite(
            "The login's client id and secret are missing.",
            why=f"{' and '.join(LOGIN_KEYS.values())} are not set.",
            fix="Set them to those of the OAuth application (callback https://HOST/hub/oauth_callback).",
        )
    name = f"{outputs.get('secrets_prefix', f'{deployment.name}/hub/')}login"
    try:
        stored = json.loads(read_secret(name))
        return {key: str(stored[key]) for key in LOGIN_KEYS}
    except (KeyError, ValueError, TypeError):
        raise BadInput(
            f"The secret {name} does not hold the login's keys.",
            why=f"It must be a JSON object with {' and '.join(LOGIN_KEYS)}.",
            fix="Write it with: aws secretsmanager put-secret-value",
        ) from None


def local_password() -> str:
    """Return the password of the login `local`, "" before the first deploy."""
    held = get("secret", LOGIN, NAMESPACES["pangeo"], secret=True).get("data") or {}
    return base64.b64decode(held.get("client-secret", "")).decode()


def service_token(service: str) -> str:
    """Return the token of a service of the hub, "" where the cluster has none."""
    held = get("secret", HUB, NAMESPACES["pangeo"], secret=True).get("data") or {}
    return base64.b64decode(held.get(f"hub.services.{service}.apiToken", "")).decode()


def secret_reader(client: Any) -> ReadSecret:
    """Return a function that reads a secret with a boto3 client of Secrets Manager."""
    from botocore.exceptions import ClientError

    def read(name: str) -> str:
        try:
            return str(client.get_secret_value(SecretId=name)["SecretString"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                raise MissingPrerequisite(
                    f"Secrets Manager has no secret {name}.",
                    why="It holds the client id and secret of the GitHub OAuth application.",
                    fix=f"aws secretsmanager create-secret --name {name} --secret-string "
                    f"""'{{"client-id": "...", "client-secret": "..."}}'""",
                ) from None
            if code in ("AccessDeniedException", "AccessDenied"):
                raise MissingPrerequisite(
                    f"The secret {name} may not be read.",
                    why=str(error),
                    fix="Use a role that may call secretsmanager:GetSecretValue on it: the apply "
                    "role of terraform/bootstrap may. Was the bootstrap applied again?",
                ) from None
            raise

    return read


def apply_login(secret: Mapping[str, str]) -> None:
    """Give the cluster the login's Secret."""
    _apply_secret(LOGIN, NAMESPACES["pangeo"], secret)


def ensure_hub_secret(values: Values) -> dict[str, str]:
    """Return what the hub's Secret holds, made where it is missing: keys, and a token a service.

    What is there is kept; delete the Secret and deploy again to have new ones.
    """
    name, space = str(at(values, ("jupyterhub", "hub"))["existingSecret"]), NAMESPACES["pangeo"]
    stored = get("secret", name, space, secret=True).get("data") or {}
    known = {key: base64.b64decode(value).decode() for key, value in stored.items()}
    services = at(values, ("jupyterhub", "hub", "services"))
    wanted = [*HUB_KEYS, *(f"hub.services.{service}.apiToken" for service in services)]
    if missing := [key for key in wanted if not known.get(key)]:
        known |= {key: secrets.token_hex(32) for key in missing}
        _apply_secret(name, space, known)
    return known


def ensure_grafana_login(values: Values) -> None:
    """Make the Secret with Grafana's administrator, where it is missing."""
    admin, space = at(values, ("grafana", "admin")), NAMESPACES["support"]
    if not get("secret", admin["existingSecret"], space, secret=True):
        content = {admin["userKey"]: "admin", admin["passwordKey"]: secrets.token_hex(16)}
        _apply_secret(admin["existingSecret"], space, content)


def with_hub_secret(values: Values, known: Mapping[str, str]) -> Values:
    """Return the values that have pods restart when a token changes, and only then.

    The chart would draw keys of its own, others each time it is rendered at first: it is given
    what it never uses, since the hub reads those in `existingSecret` before.  The proxy's token is
    the exception: the chart's pods read it from the chart's Secret.
    """
    hub = at(values, ("jupyterhub", "hub"))
    mark = hashlib.sha256(json.dumps(dict(known), sort_keys=True).encode()).hexdigest()[:16]
    for path in (
        ("jupyterhub", "hub", "annotations"),
        ("jupyterhub", "proxy", "annotations"),
        ("dask-gateway", "gateway", "annotations"),
        ("binderhub-service", "podAnnotations"),
    ):
        at(values, path)["pangeo.io/secrets"] = mark
    config = at(hub, ("config",))
    at(config, ("ConfigurableHTTPProxy",))["auth_token"] = known[PROXY_TOKEN]
    at(config, ("JupyterHub",))["cookie_secret"] = ELSEWHERE
    at(config, ("CryptKeeper",))["keys"] = ELSEWHERE
    for service in at(hub, ("services",)).values():
        service["apiToken"] = ELSEWHERE
    return values


def restore_proxy_token(known: Mapping[str, str]) -> bool:
    """Set the proxy's token in the chart's Secret to the valid one; tell whether it was another."""
    space = NAMESPACES["pangeo"]
    held = (get("secret", "hub", space, secret=True).get("data") or {}).get(PROXY_TOKEN, "")
    if base64.b64decode(held).decode() == known[PROXY_TOKEN]:
        return False
    data = {PROXY_TOKEN: base64.b64encode(known[PROXY_TOKEN].encode()).decode()}
    metadata = {"name": "hub", "namespace": space}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, secret=True)
    return True


def share_metrics_token(known: Mapping[str, str]) -> None:
    """Give Prometheus the token of the hub's service of that name.

    A Secret is read in its own namespace only. Prometheus reads the file anew at each scrape.
    """
    _apply_secret(METRICS, NAMESPACES["support"], {"token": known[METRICS_KEY]})


def _apply_secret(name: str, namespace: str, content: Mapping[str, str]) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
    metadata = {"name": name, "namespace": namespace}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    apply(manifest, secret=True)


def redacted(values: Any) -> Any:
    """Return values to be shown: what sits under a name of a secret is struck out."""
    if isinstance(values, dict):
        return {
            key: "***"
            if isinstance(value, str) and value and SECRET_NAME.search(key)
            else redacted(value)
            for key, value in values.items()
        }
    return [redacted(value) for value in values] if isinstance(values, list) else values
