"""What the pods run and are told: the Python of helm/files and the settings."""

import hashlib
import json
from pathlib import Path

from hub_user import idle_rules
from pangeo_deploy.charts.trees import Values, at

__all__ = ["add_code", "add_settings"]

# Where each chart takes Python and the settings: path of extraConfig, path of the environment.
CODE = {
    "hub.py": ("jupyterhub", "hub"),
    "gateway.py": ("dask-gateway", "gateway"),
    "binder.py": ("binderhub-service",),
}

# What every user's server reads beside its own: in /etc/jupyter, by the chart's names.
FOR_SERVERS = {
    "busy-is-activity": "jupyter_server_config.py",
    "welcome-notebook": "welcome.ipynb",
    "welcome-data": "welcome.csv",
}
# What stands before them in the same text.
BEFORE = {"hub.py": ("launches.py", "login.py", "profiles.py"), "binder.py": ("launches.py",)}


def add_settings(values: Values) -> None:
    """Set what the charts' own values decide before hub.py and gateway.py are read.

    KubeSpawner's start_timeout hides Spawner's, and KubeClusterConfig's cores and memory hide
    ClusterConfig's: the same settings must reach both.
    """
    pangeo = values["pangeo"]
    dask = pangeo["dask"]
    at(values, ("jupyterhub", "singleuser"))["startTimeout"] = pangeo["limits"]["start_seconds"]
    scheduler = at(values, ("dask-gateway", "gateway", "backend", "scheduler"))
    scheduler["cores"] = {
        "request": dask["scheduler_cores"],
        "limit": max(dask["scheduler_cores"], dask["scheduler_cores_max"]),
    }
    memory = f"{dask['scheduler_memory_gib']:g}G"  # of 2**30 bytes, as the gateway reads it
    scheduler["memory"] = {"request": memory, "limit": memory}


def add_code(values: Values, folder: Path) -> None:
    """Put helm/files/*.py, the settings and the image where each chart takes them."""
    pangeo = values["pangeo"]
    told = json.dumps(pangeo, sort_keys=True)
    for name, path in CODE.items():
        section = at(values, path)
        code = "\n\n".join((folder / part).read_text() for part in (*BEFORE.get(name, ()), name))
        section.setdefault("extraConfig", {})["pangeo"] = code
        # Subcharts do not restart their pods when the environment or this code changes.
        mark = hashlib.sha256((code + told).encode()).hexdigest()[:16]
        kind = "podAnnotations" if name == "binder.py" else "annotations"
        section.setdefault(kind, {})["pangeo.io/configuration"] = mark
    at(values, ("jupyterhub", "hub")).setdefault("extraEnv", {})["PANGEO_SETTINGS"] = told
    listed = [{"name": "PANGEO_SETTINGS", "value": told}]
    at(values, ("dask-gateway", "gateway")).setdefault("env", []).extend(listed)
    at(values, ("binderhub-service",)).setdefault("extraEnv", []).extend(listed)
    name, _, tag = pangeo["image"].rpartition(":")
    image = {"name": name, "tag": tag}
    at(values, ("jupyterhub", "singleuser"))["image"] = dict(image)
    at(values, ("dask-gateway", "gateway", "backend"))["image"] = dict(image)
    for name, file in FOR_SERVERS.items():
        at(values, ("jupyterhub", "singleuser", "extraFiles"))[name] = {
            "mountPath": f"/etc/jupyter/{file}",
            "stringData": (folder / file).read_text(),
        }
    binders = at(values, ("binderhub-service", "extraConfig"))
    binders["ecr"] = (folder / "ecr.py").read_text()
    janitor = {"janitor.py": folder / "janitor.py", "idle_rules.py": Path(idle_rules.__file__)}
    at(values, ("janitor",))["code"] = {name: file.read_text() for name, file in janitor.items()}
    add_backup(values, folder)
    add_origins(values, pangeo)


def add_backup(values: Values, folder: Path) -> None:
    """Have the hub look for a copy of its database before it starts without one."""
    backup, homes = values["backup"], values["pangeo"]["homes"]
    backup["code"] = (folder / "hub_backup.py").read_text()
    if not (backup["schedule"] and (homes["file_system"] or homes["storage_class"])):
        return
    hub = at(values, ("jupyterhub", "hub"))
    database = "/srv/jupyterhub/jupyterhub.sqlite"
    hub.setdefault("extraVolumes", []).append(
        {"name": "homes", "persistentVolumeClaim": {"claimName": "homes"}}
    )
    hub.setdefault("initContainers", []).append(
        {
            "name": "restore",
            "image": values["janitor"]["image"],
            "command": ["python3", "-c", backup["code"], "restore", database, "/backup"],
            "resources": {
                "requests": {"cpu": "10m", "memory": "32Mi"},
                "limits": {"memory": "128Mi"},
            },
            "securityContext": {
                "runAsUser": 1000,
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "pvc", "mountPath": "/srv/jupyterhub"},
                {"name": "homes", "mountPath": "/backup", "subPath": backup["folder"]},
            ],
        }
    )


def add_origins(values: Values, pangeo: Values) -> None:
    """Say where BinderHub answers, if it is one of the services, and let the proxy tell by host."""
    service = at(values, ("binderhub-service",))
    service["enabled"] = "binder" in pangeo["services"]
    if service["enabled"]:
        # JupyterHub's own rule for the domain of a service.
        public = pangeo["url"].replace("://", "://binder--service.", 1)
        told = {
            "JUPYTERHUB_HOST": pangeo["url"],
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{public}/services/binder/oauth_callback",
        }
        listed = [{"name": name, "value": value} for name, value in told.items()]
        service.setdefault("extraEnv", []).extend(listed)
    else:
        at(values, ("jupyterhub", "hub", "services")).pop("binder", None)
    if pangeo["subdomains"]:
        proxy = at(values, ("jupyterhub", "proxy", "chp"))
        proxy.setdefault("extraCommandLineFlags", []).append("--host-routing")
