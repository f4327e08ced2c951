"""The state of a rehearsed hub in its folder, which all its parts read."""

import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_hub.definition import HubDefinition
from pangeo_core.files import write_whole

FOLDER = "PANGEO_HUB_FOLDER"  # in the environment of everything that the hub starts
OWNER = "PANGEO_HUB_OWNER"  # in the supervisor's: the process whose end it follows, if any
HOST = "127.0.0.1"
PORTS = (
    *("public", "proxy_api", "hub", "gateway", "gateway_web", "gateway_tcp"),
    *("identity", "storage", "prometheus", "pods", "binder", "repositories"),
)
SERVICES = ("dask-gateway", "identity", "prometheus", "janitor", "smoke", "binder")
BUCKET = ROLE = "pangeo-scratch"
IMAGES = "rehearsal/"  # the prefix of Binder's images
# The people of the rehearsal, a class among them.
USERS = ("ann", "bob", "smoke", *(f"learner-{number:02}" for number in range(1, 51)))
ADMINS = ("olga",)
TEAM = "team.json"  # initially USERS; like a team at GitHub, it changes without the hub


@dataclass(frozen=True)
class HubState:
    """A hub's folder, ports, secrets and settings (the `pangeo` values of its environment).

    `code` is the folder of the Python files that the charts mount.
    """

    folder: Path
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    settings: Mapping[str, Any]
    code: Path

    @property
    def binder(self) -> bool:
        """Whether BinderHub is one of the hub's services."""
        return "binder" in self.settings["services"]

    @property
    def public_url(self) -> str:
        """The URL of the hub for browsers; servers and services are on subdomains of it."""
        return str(self.settings["url"])

    def url(self, port: str, scheme: str = "http") -> str:
        """Return the URL of one of the ports."""
        return f"{scheme}://{HOST}:{self.ports[port]}"

    def service_url(self, name: str) -> str:
        """Return a service's URL for browsers, by JupyterHub's rule for its domain."""
        return f"{self.public_url.replace('://', f'://{name}--service.')}/services/{name}"


def create(hub: HubDefinition, binder: bool = False) -> HubState:
    """Choose free ports and new secrets, and save them with settings made from the definition's."""
    ports, folder = free_ports(), hub.folder
    names = ("cookie", "crypt", "proxy_api", "gateway_proxy", "storage", "login", *SERVICES)
    random = {name: secrets.token_hex(32) for name in names}
    random["storage_key"] = f"AKIA{secrets.token_hex(8).upper()}"
    settings = rehearsed(folder, hub.settings, ports, binder)
    state = HubState(folder, ports, random, settings, hub.code)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_whole(folder / "secrets.json", json.dumps(random), mode=0o600)
    write_whole(folder / TEAM, json.dumps(USERS, indent=2), mode=0o600)
    plain = {"ports": ports, "settings": state.settings, "code": str(hub.code)}
    write_whole(folder / "hub.json", json.dumps(plain, indent=2), mode=0o600)
    write_whole(folder / "alerts.json", json.dumps({"groups": list(hub.alert_groups)}, indent=2))
    return state


def rehearsed(
    folder: Path, settings: Mapping[str, Any], ports: Mapping[str, int], binder: bool
) -> dict[str, Any]:
    """Return the environment's settings with this machine's addresses in place of the cloud's."""
    gateway = f"http://{HOST}:{ports['gateway_web']}/services/dask-gateway"
    return {
        **settings,
        "url": f"http://localhost:{ports['public']}",
        "subdomains": True,  # browsers resolve every name under localhost to this machine
        "login": {**settings["login"], "teams": [], "users": [], "admins": list(ADMINS)},
        "services": ["dask-gateway", "identity", *(["binder"] if binder else [])],
        # JupyterHub chooses its services' environment; this variable marks their processes.
        "service_environment": {FOLDER: str(folder)},
        "scratch": {"bucket": BUCKET},
        "dask": {
            **settings["dask"],
            "address": gateway,
            "proxy_address": f"gateway://{HOST}:{ports['gateway_tcp']}",
        },
        "binder": {**settings["binder"], "registry_prefix": IMAGES, "git_protocols": ["http"]},
    }


def load(folder: Path | None = None) -> HubState:
    """Return the state in `folder`, or in the one that the environment of a part names.

    Raises `FileNotFoundError` where there is no hub.
    """
    folder = folder or Path(os.environ[FOLDER])
    plain = json.loads((folder / "hub.json").read_bytes())
    random = json.loads((folder / "secrets.json").read_bytes())
    return HubState(folder, plain["ports"], random, plain["settings"], Path(plain["code"]))


def password(secret: str, user: str) -> str:
    """Return a user's password at one hub, derived from the hub's secret."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()[:16]


def code(hub: HubState, *names: str) -> str:
    """Return files that the charts mount as one text, joined as in the charts."""
    return "\n\n".join((hub.code / name).read_text() for name in names)


def pod_name(user: str) -> str:
    """Return the name of the user's pod on AWS, which determines the scratch prefix.

    It is right for names of letters, digits and single hyphens that begin with a letter. For other
    names, such as those with an underscore, KubeSpawner uses a slug that ends with a hash.
    """
    return f"jupyter-{user}"


def folder_of_image(folder: Path, image: str) -> Path:
    """Return the folder of the image NAME:TAG; its prefix, up to the last slash, is ignored."""
    name, _, tag = image.rpartition("/")[2].partition(":")
    return folder / "images" / name / tag


def free_ports() -> dict[str, int]:
    """Return a free port for each of PORTS."""
    with ExitStack() as open_together:
        chosen = {}
        for name in PORTS:
            listener = open_together.enter_context(socket.socket())
            listener.bind((HOST, 0))
            chosen[name] = listener.getsockname()[1]
        return chosen
