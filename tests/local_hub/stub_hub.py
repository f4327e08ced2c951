"""A real JupyterHub with the charts' configuration, but without servers: for many and slow ones.

The spawner stands for KubeSpawner, whose pods may take minutes to come and to go: starts and stops
wait for as long as a file named `hold` lies in the hub's folder. Every server's address answers as
a server's API does. The proxy keeps the routes that it is given in memory and routes nothing.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from hub_user.user import HubRefused, User, log_in
from tests.conftest import PROJECT

PASSWORD = "of everybody here"
PATIENCE_SECONDS = 120.0
CONFIGURATION = """
import asyncio, os
from pathlib import Path
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from traitlets import Any

c = get_config()
folder = Path(os.environ["STUB_FOLDER"])
os.environ["PANGEO_SPAWNER"] = "Absent"
exec(Path(os.environ["STUB_CODE"]).read_text())


class Absent(Spawner):
    volumes, volume_mounts, service_account, image, profile_list = (
        Any().tag(config=True) for _ in range(5)
    )
    pod_name = property(lambda self: f"jupyter-{self.user.name}")

    async def until_let(self):
        while (folder / "hold").exists():
            await asyncio.sleep(0.05)

    async def start(self):
        await self.until_let()
        return os.environ["STUB_SERVER"]

    async def stop(self, now=False):
        await self.until_let()

    async def poll(self):
        return None

    def get_state(self):
        return {"started": True}


class Nowhere(Proxy):
    should_start, routes = False, {}

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)


c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["STUB_PASSWORD"]
c.JupyterHub.spawner_class = Absent
c.JupyterHub.proxy_class = Nowhere
c.JupyterHub.hub_bind_url = os.environ["STUB_URL"]
c.JupyterHub.db_url = f"sqlite:///{folder / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(folder / "cookie")
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}  # the chart's
c.CryptKeeper.keys = [os.urandom(32)]
c.JupyterHub.services.extend(
    {"name": name, "api_token": os.environ["STUB_TOKEN"] + name}
    for name in ("janitor", "prometheus", "smoke", "dask-gateway")
)
"""


class Answering(BaseHTTPRequestHandler):
    """Answers as a server's API does when JupyterHub asks whether it is there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", "5")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


@dataclass
class StubHub:
    """A running one: `hold` is the file that keeps servers from coming and going."""

    url: str
    hold: Path
    settings: Mapping[str, Any]
    token: str = field(repr=False)

    def user(self, name: str) -> User:
        return log_in(self.url, name, PASSWORD)

    @property
    def janitor(self) -> User:
        return User(self.url, "janitor", f"{self.token}janitor")


@contextmanager
def stub_hub(folder: Path, settings: Mapping[str, Any]) -> Iterator[StubHub]:
    """Have one with these `pangeo` values for the time of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    token = secrets.token_hex(16)
    files = ("launches.py", "login.py", "profiles.py", "hub.py")
    code = "\n\n".join((PROJECT / "helm" / "files" / name).read_text() for name in files)
    (folder / "code.py").write_text(code)
    (folder / "configuration.py").write_text(CONFIGURATION)
    settings = {**settings, "url": url}
    command = [sys.executable, "-m", "jupyterhub", "--config", str(folder / "configuration.py")]
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server,
        (folder / "hub.log").open("wb") as log,
    ):
        Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            **os.environ,
            "PANGEO_SETTINGS": json.dumps(settings),
            "STUB_CODE": str(folder / "code.py"),
            "STUB_FOLDER": str(folder),
            "STUB_PASSWORD": PASSWORD,
            "STUB_SERVER": f"http://127.0.0.1:{server.server_port}",
            "STUB_TOKEN": token,
            "STUB_URL": url,
        }
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait(url, process, folder / "hub.log")
            yield StubHub(url, folder / "hold", settings, token)
        finally:
            process.terminate()
            process.wait(30)
            server.shutdown()


def wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when the hub answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            User(url, "", "").ask("GET", "/hub/api/")
        except HubRefused:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return
