"""What a person chooses before a server starts: its size, its software, a GPU.

It stands before hub.py, in the charts and in the rehearsal. Standard library only.
"""

import json
import os

settings = json.loads(os.environ["PANGEO_SETTINGS"])

GPU = "nvidia.com/gpu"
# A toleration of a profile replaces the chart's own, so that both are named.
GPU_TOLERATIONS = [
    {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"},
    {"key": GPU, "operator": "Exists"},
]


def with_gpus(profile):
    """Return what a profile with GPUs asks of its node, {} for one without."""
    count = profile.get("gpus", 0)
    if not count:
        return {}
    return {
        "extra_resource_guarantees": {GPU: str(count)},
        "extra_resource_limits": {GPU: str(count)},
        "node_selector": {"pangeo.io/gpu": "true"},
        "tolerations": [{**one, "effect": "NoSchedule"} for one in GPU_TOLERATIONS],
    }


def software(own, listed, other):
    """Return the choice of an image: the hub's own, those listed, one that fits a pattern.

    {} where there is no choice. The option is not called `image`: that is how Binder asks for one.
    """
    if not listed and not other:
        return {}
    choices = {
        "own": {
            "display_name": "The hub's own",
            "default": True,
            "kubespawner_override": {"image": own},
        }
    }
    for one in listed:
        override = {"image": one["image"]}
        choices[one["slug"]] = {"display_name": one["name"], "kubespawner_override": override}
    option = {"display_name": "Software", "choices": choices}
    if other:
        option["unlisted_choice"] = {
            "enabled": True,
            "display_name": "Image",
            "display_name_in_choices": "Another image",
            "validation_regex": f"^(?:{other})$",
            "validation_message": f"An image that fits {other}, with its tag",
            "kubespawner_override": {"image": "{value}"},
        }
    return {"profile_options": {"software": option}}


def profile_list():
    """Return the profiles as KubeSpawner takes them; the first is the default."""
    chosen = software(
        settings["image"], settings["software"]["images"], settings["software"]["other"]
    )
    return [
        {
            "slug": profile["slug"],
            "display_name": profile["name"],
            "description": profile["description"],
            "default": profile is settings["profiles"][0],
            "kubespawner_override": {
                "cpu_guarantee": profile["cpu_guarantee"],
                "cpu_limit": profile["cpu_limit"],
                "mem_guarantee": f"{profile['memory_guarantee_mib']}M",
                "mem_limit": f"{profile['memory_limit_mib']}M",
                **with_gpus(profile),
            },
            **chosen,
        }
        for profile in settings["profiles"]
    ]


def with_shared(mounts, folder, writes):
    """Return a server's volume mounts with the folder that everybody sees, if there is one.

    It is in the volume of the homes, and appears in each home as `shared`.
    """
    listed = list(mounts.values()) if isinstance(mounts, dict) else list(mounts)
    if not folder:
        return mounts
    home = next(one for one in listed if str(one.get("mountPath", "")).startswith("/home/"))
    path = f"{home['mountPath'].rstrip('/')}/shared"
    return [*listed, {**home, "mountPath": path, "subPath": folder, "readOnly": not writes}]
