"""The rehearsed hub's authenticator and spawner: users without accounts, processes without pods."""

import hmac
import json
import os
import resource
import shutil
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import HTTPError
from traitlets import List, Unicode, default

from local_hub.hub_state import FOLDER, TEAM, folder_of_image, load, password, pod_name


class RehearsalAuthenticator(Authenticator):  # type: ignore[misc]
    """Accepts the rehearsal's people by passwords derived from the hub's secret.

    It refuses to run in a cluster: a hub that anyone can reach needs real accounts.
    """

    secret = Unicode(config=True, help="What the passwords are derived from.")

    def __init__(self, **settings: Any) -> None:
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            raise RuntimeError("The rehearsal's login does not run in a cluster.")
        super().__init__(**settings)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """Return the user's name if the password is theirs."""
        expected = password(self.secret, data["username"])
        given = data.get("password") or ""
        return data["username"] if hmac.compare_digest(expected, given) else None

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Return whether a user is on the hub's lists, or now in the team."""
        team = json.loads((Path(os.environ[FOLDER]) / TEAM).read_bytes())
        return username in team or bool(super().check_allowed(username, authentication))


class RehearsalSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """Starts JupyterLab as a process of ours, with the profile's memory as its limit.

    Profiles and their options are offered and checked as by KubeSpawner. Whichever image is
    chosen, the server runs this machine's packages and only names it in JUPYTER_IMAGE_SPEC.

    The limit is the operating system's (RLIMIT_DATA, private memory of each process of the
    server): an allocation beyond it fails. Processes are not containers: people here share one
    account of the system, and a CPU limit only sets how many threads numerical libraries start.
    """

    profile_list: Any = List(config=True, help="The same list that KubeSpawner takes.")
    image: Any = Unicode(config=True, help="An image of Binder's, if any.")
    volumes: Any = List(config=True, help="What a pod could mount: nothing else than homes here.")
    volume_mounts: Any = List(config=True, help="Homes, or nothing.")
    service_account: Any = Unicode(None, allow_none=True, config=True, help="What S3 is opened by.")
    image_spec = ""

    @property
    def pod_name(self) -> str:
        """The name that KubeSpawner would give the user's pod."""
        return pod_name(self.user.name)

    async def start(self) -> Any:
        """Apply the chosen profile, then start."""
        profile = self.chosen()
        for name, value in profile["kubespawner_override"].items():
            setattr(self, name, value)
        self.image_spec = self.image or self.software(profile)
        if self.image:
            self.home_dir = fresh_copy(self.image, self.user.name)
        return await super().start()

    def chosen(self) -> dict[str, Any]:
        """Return the profile that the user asked for, or the default.

        Raises HTTP 400 for an unknown profile, or for any other option.
        """
        if unknown := set(self.user_options) - self.options():
            raise refused(f"There is no option {', '.join(sorted(unknown))}.")
        wanted = self.user_options.get("profile")
        for profile in self.profile_list:
            if wanted == profile["slug"] or (wanted is None and profile["default"]):
                return dict(profile)
        raise refused("There is no such profile.")

    def software(self, profile: dict[str, Any]) -> str:
        """Return the chosen image of the profile, "" if there is no choice.

        Raises HTTP 400 for an unknown image.
        """
        choices = profile.get("profile_options", {}).get("software", {}).get("choices", {})
        wanted = self.user_options.get("software")
        for slug, choice in choices.items():
            if wanted == slug or (wanted is None and choice.get("default")):
                return str(choice["kubespawner_override"]["image"])
        if wanted is not None:
            raise refused("There is no such software.")
        return ""

    @default("options_form")
    def _profile_form(self) -> str:
        return "\n".join(profile_form(profile) for profile in self.profile_list)

    def options_from_form(self, form: dict[str, list[str]]) -> dict[str, str]:
        """Return the options that the submitted form stands for."""
        if not form.get("profile"):
            return {}
        profile = form["profile"][0]
        prefix = f"profile-option-{profile}--"
        chosen = {
            name.removeprefix(prefix): values[0]
            for name, values in form.items()
            if name.startswith(prefix)
        }
        return {"profile": profile, **chosen}

    def options(self) -> set[str]:
        """Return the permitted options: Binder's come with an image."""
        binders = {option for option in self.user_options if option.startswith("binder_")}
        launch = {"image", "repo_url", "token", *binders} if self.image else set()
        return {"profile", "software", *launch}

    def get_env(self) -> dict[str, str]:
        """Return the server's environment: a pod's variables, and the hub's marker."""
        threads = str(max(1, int(self.cpu_limit or 1)))
        pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = super().get_env()
        if not self.service_account:  # EKS would not set them in the pod
            env = {key: value for key, value in env.items() if not key.startswith("AWS_CONTAINER_")}
        return {
            **env,
            **dict.fromkeys(pools, threads),
            **({"JUPYTER_IMAGE_SPEC": self.image_spec} if self.image_spec else {}),
            FOLDER: os.environ[FOLDER],
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTER_CONFIG_PATH": str(load().code),  # what the chart mounts at /etc/jupyter
            "IPYTHONDIR": f"{self.home_dir}/.ipython",
        }

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return a function that the child calls before it becomes the server."""
        enter_home, memory = super().make_preexec_fn(name), self.mem_limit

        def prepare() -> None:
            enter_home()
            if memory and hasattr(resource, "RLIMIT_DATA"):
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

        return prepare

    async def stop(self, now: bool = False) -> None:
        """Stop the server; the home is kept."""
        await super().stop(now=now)
        shutil.rmtree(f"{self.home_dir}/.local/share/jupyter/runtime", ignore_errors=True)


def profile_form(profile: dict[str, Any]) -> str:
    """Return one profile's part of the form, with KubeSpawner's field names."""
    slug = escape(profile["slug"])
    selects = "".join(
        f'<label>{escape(option["display_name"])} <select name="profile-option-{slug}--{name}">'
        + "".join(
            f'<option value="{escape(key)}"{" selected" if choice.get("default") else ""}>'
            f"{escape(choice['display_name'])}</option>"
            for key, choice in option["choices"].items()
        )
        + "</select></label>"
        for name, option in profile.get("profile_options", {}).items()
    )
    return (
        f'<div class="form-check"><label><input type="radio" name="profile" value="{slug}"'
        f"{' checked' if profile['default'] else ''}> <b>{escape(profile['display_name'])}</b> "
        f"{escape(profile['description'])}</label> {selects}</div>"
    )


def fresh_copy(image: str, user: str) -> str:
    """Return a new folder with the image's content: the files of a launched server."""
    hub = Path(os.environ[FOLDER])
    session = hub / "sessions" / user
    if not folder_of_image(hub, image).is_dir():
        raise refused("Binder has no such image.")
    shutil.rmtree(session, ignore_errors=True)
    shutil.copytree(folder_of_image(hub, image), session, symlinks=True)
    return str(session)


def refused(why: str) -> HTTPError:
    """Return the HTTP error for a wrong option."""
    error: Any = HTTPError(400, why)
    error.jupyterhub_message = why
    return error  # type: ignore[no-any-return]
