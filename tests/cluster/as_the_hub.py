"""Be the hub's process, as the chart's image is: as_the_hub.py < JSON.

Runs the configuration that the chart mounts with the real OAuthenticator and KubeSpawner, and
prints as JSON what they make of it: the authenticator's traits, and the pod of a user's server. The
chart's own jupyterhub_config.py is not here; what it would set (the volume of the home) is given.
"""

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

from jupyterhub.objects import Hub
from jupyterhub.orm import Spawner as Row
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import Config


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    config = Config()
    exec(asked["code"], {"c": config})
    authenticator = config.JupyterHub.authenticator_class(config=config)
    answer: dict[str, Any] = {
        "class": type(authenticator).__mro__[1].__name__,
        "traits": {name: shown(getattr(authenticator, name)) for name in asked.get("traits", ())},
        "names": {
            name: bool(authenticator.validate_username(name)) for name in asked.get("names", ())
        },
    }
    if asked.get("user"):
        answer["pod"] = asyncio.run(pod(config, asked))
    json.dump(answer, sys.stdout)


def shown(value: Any) -> Any:
    """Return a trait's value as JSON can hold it."""
    return sorted(value) if isinstance(value, set) else value


async def pod(config: Config, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the pod that KubeSpawner makes for a user who chose these options."""
    home = {"name": "home", "mountPath": "/home/jovyan", "subPath": "{username}"}
    config.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}]
    config.KubeSpawner.volume_mounts = [home]
    config.KubeSpawner.image = asked["image"]
    name = asked["user"]
    user = SimpleNamespace(name=name, escaped_name=name, id=1, url=f"/user/{name}/", settings={})
    spawner = KubeSpawner(
        config=config,
        user=user,
        hub=Hub(),
        orm_spawner=Row(name="", user_options=asked["options"]),
        api_token="a-token",
        _mock=True,
    )
    spawner.user_options = asked["options"]
    await spawner.load_user_options()
    spawner.pre_spawn_hook(spawner)
    manifest = await spawner.get_pod_manifest()
    return dict(ApiClient().sanitize_for_serialization(manifest))


if __name__ == "__main__":
    main()
