"""A user of a hub, through its public interfaces only: token, server, kernels."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from hub_user.kernel import Kernel
from hub_user.loopback import loopback
from pangeo_core.errors import PangeoDeployError

TIMEOUT_SECONDS = 60.0
PATIENCE_SECONDS = 600.0
EXAMPLE = "gh/binder-examples/requirements/HEAD"  # the Binder project's own, for such trials
FOUND, DENIED, GONE, THERE_ALREADY, TOO_MANY, BUSY_SECONDS = 302, 403, 404, 409, 429, 2.0


class HubRefused(PangeoDeployError):
    """The hub, or a server behind it, returned an error; `status` is the HTTP status."""

    def __init__(self, what: str, *, status: int = 0, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.status = status


@dataclass(frozen=True)
class User:
    """A user called `name` with an API token of the hub at `url`."""

    url: str
    name: str
    token: str = field(repr=False)
    session: requests.Session = field(default_factory=requests.Session, repr=False)
    _services: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.session.trust_env = False  # no proxy or .netrc of the machine

    @property
    def path(self) -> str:
        """The user's name, quoted for URLs."""
        return quote(self.name, safe="")

    def ask(
        self,
        method: str,
        path: str,
        scheme: str = "token",
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        """Return the response to a request for `path`, of the hub, a service or the user's server.

        A `path` may be a whole URL. `scheme` is the authorization scheme: Dask-Gateway expects
        `jupyterhub`. Raises `HubRefused` for an error status or no response.
        """
        address = path if "://" in path else f"{self.origin(path)}{path}"
        answer = self._request(
            method,
            address,
            headers={**(headers or {}), "Authorization": f"{scheme} {self.token}"},
            **options,
        )
        if answer.status_code >= 400:
            raise refusal(f"{method} {path}", answer)
        return answer

    def _request(
        self, method: str, address: str, headers: dict[str, str], **options: Any
    ) -> requests.Response:
        reached, host = loopback(address)
        try:
            return self.session.request(
                method,
                reached,
                headers={**headers, "Host": host},
                **{"timeout": TIMEOUT_SECONDS, "allow_redirects": False, **options},
            )
        except requests.RequestException as error:
            raise HubRefused(f"{method} {address} got no answer.", why=str(error)) from error

    def origin(self, path: str) -> str:
        """Return the origin that serves `path`: servers and services may have subdomains."""
        kind, _, rest = path.lstrip("/").partition("/")
        name = rest.partition("/")[0]
        if kind == "services":
            if name not in self._services:
                self._services[name] = self._service_origin(name)
            return self._services[name]
        if kind == "user" and name == self.path:
            server = self.whoami().get("servers", {}).get("", {})
            parts = urlsplit(server.get("url", ""))
            return f"{parts.scheme}://{parts.netloc}" if parts.netloc else self.url
        return self.url

    def _service_origin(self, name: str) -> str:
        """Return the services' origin: the hub's domain redirects to it, if they have their own."""
        answer = self._request("GET", f"{self.url}/services/{name}/", {}, stream=True)
        to = urlsplit(answer.headers.get("Location", ""))
        answer.close()
        elsewhere = to.netloc and to.path.startswith(f"/hub/services/{name}")
        return self.url.replace("://", f"://{name}--service.", 1) if elsewhere else self.url

    def whoami(self) -> dict[str, Any]:
        """Return the hub's description of the token's owner."""
        return dict(self.ask("GET", "/hub/api/user").json())

    def start_server(self, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Start the user's server, wait until it is ready, return the hub's progress events.

        Raises `HubRefused` when the hub refuses the options or the server does not start.
        """
        self.request_server(options or {})
        events = []
        with self.ask("GET", f"/hub/api/users/{self.path}/server/progress", stream=True) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data:"):
                    events.append(json.loads(line.removeprefix(b"data:")))
        if not events or not events[-1].get("ready"):
            told = events[-1].get("message", "") if events else "It told nothing."
            raise HubRefused(f"The server of {self.name} did not start.", why=told)
        return events

    def request_server(self, options: dict[str, Any]) -> None:
        """Request the server; when the hub is busy starting others, wait as long as it says."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.ask("POST", f"/hub/api/users/{self.path}/server", json=options)
            except HubRefused as refused:
                if refused.status != TOO_MANY or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_SECONDS)
            else:
                return

    def stop_server(self, seconds: float = TIMEOUT_SECONDS) -> None:
        """Stop the user's server and wait until the hub knows that it is gone."""
        self.ask("DELETE", f"/hub/api/users/{self.path}/server")
        deadline = time.monotonic() + seconds
        while self.whoami().get("servers"):
            if time.monotonic() > deadline:
                raise HubRefused(f"The server of {self.name} is still there after {seconds:.0f} s.")
            time.sleep(0.1)

    @contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """Run a Python kernel in the user's server for the time of the block."""
        base = f"/user/{self.path}/api/kernels"
        name = self.ask("POST", base, json={"name": "python3"}).json()["id"]
        try:
            with self.connected(name) as kernel:
                yield kernel
        finally:
            self._end_kernel(f"{base}/{name}")

    def _end_kernel(self, path: str) -> None:
        try:
            self.ask("DELETE", path)
        except HubRefused as refused:
            if refused.status != GONE:  # it ended with a server that was replaced
                raise

    @contextmanager
    def connected(self, name: str) -> Iterator[Kernel]:
        """Open the websocket of a running kernel, named by its id."""
        path = f"/user/{self.path}/api/kernels/{name}/channels"
        address = f"{self.origin(path)}{path}".replace("http", "ws", 1)
        with Kernel.connect(address, self.token) as kernel:
            yield kernel

    def kernels(self) -> list[str]:
        """Return the ids of the kernels that run in the user's server."""
        found = self.ask("GET", f"/user/{self.path}/api/kernels").json()
        return [kernel["id"] for kernel in found]


@dataclass(frozen=True)
class Entrance:
    """How to enter a hub: `enter` returns an ordinary user, `logs` the end of a part's log.

    `repository` is an example to launch from Binder, as `PROVIDER/SPEC`.
    """

    url: str
    enter: Callable[[], User]
    logs: Callable[[str], str] = lambda part: ""
    repository: Callable[[], str] = lambda: EXAMPLE


def log_in(url: str, name: str, password: str, seconds: int = 3600) -> User:
    """Log in with a name and password; return the user with a token that is valid for `seconds`."""
    nobody = User(url, name, "")
    asked = {
        "auth": {"username": name, "password": password},
        "expires_in": seconds,
        "note": "pangeo-deploy",
    }
    tokens = f"{url}/hub/api/users/{nobody.path}/tokens"
    try:
        answer = nobody._request("POST", tokens, {}, json=asked)
        # The hub knows a user only after a first log-in at its page.
        if answer.status_code == DENIED and _first_visit(nobody, password):
            answer = nobody._request("POST", tokens, {}, json=asked)
    except HubRefused as refused:
        raise HubRefused(f"{url} does not answer.", why=refused.why) from refused
    if answer.status_code >= 400:
        raise refusal(f"The log-in of {name}", answer)
    return User(url, name, answer.json()["token"])


def visitor(url: str, token: str, seconds: int = 3600) -> User:
    """Return the user that the hub's service with this token may act as, created if missing.

    The service's scope `tokens!user=NAME` names the user. Raises `HubRefused` for a service that
    has no such scope.
    """
    service = User(url, "", token)
    scopes = service.whoami().get("scopes") or ()
    names = [scope.partition("!user=")[2] for scope in scopes if scope.startswith("tokens!user=")]
    if not names:
        raise HubRefused(
            f"The token given may be nobody at {url}.",
            why="It has no scope tokens!user=NAME.",
            fix="Deploy the charts again: they give the service `smoke` its role.",
        )
    user = User(url, names[0], "")
    try:
        service.ask("POST", f"/hub/api/users/{user.path}")
    except HubRefused as refused:
        if refused.status != THERE_ALREADY:
            raise
    asked = {"expires_in": seconds, "note": "pangeo-deploy"}
    answer = service.ask("POST", f"/hub/api/users/{user.path}/tokens", json=asked)
    return User(url, user.name, answer.json()["token"])


def _first_visit(nobody: User, password: str) -> bool:
    """Log in at the hub's page; return whether it accepted the password."""
    page = f"{nobody.url}/hub/login"
    visit = User(nobody.url, nobody.name, "")
    visit._request("GET", page, {})
    form = {
        "username": nobody.name,
        "password": password,
        "_xsrf": next(
            (cookie.value for cookie in visit.session.cookies if cookie.name == "_xsrf"), ""
        ),
    }
    return visit._request("POST", page, {}, data=form).status_code == FOUND


def refusal(what: str, answer: requests.Response) -> HubRefused:
    """Return the error for a response; its text never contains the request."""
    try:
        told = answer.json()
        why = str(told.get("message") or told.get("error") or "")  # JupyterHub's, Dask-Gateway's
    except (ValueError, AttributeError):
        why = answer.reason
    return HubRefused(
        f"{what} was refused with {answer.status_code}.", status=answer.status_code, why=why
    )
