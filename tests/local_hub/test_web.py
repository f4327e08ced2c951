"""What a browser can be made to ask for: redirects, forged requests, odd paths, big requests."""

import http.client
from urllib.parse import quote, urlsplit

import pytest
import requests

from hub_user.user import User
from local_hub import hub_status
from local_hub.fault_injection import until
from tests.local_hub.conftest import Rig

ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "https:evil.example",
    "http:///evil.example",
    "/hub/../..//evil.example",
    "/hub/%0d%0aLocation:https://evil.example",
    "javascript:alert(1)//evil.example",
    "http://localhost@evil.example/",
    "http://localhost.evil.example/",
    "/user/ann//evil.example",
)


@pytest.fixture(scope="module")
def browser(rig: Rig, ann: User) -> requests.Session:
    """Ann's cookies, as her browser has them after she logged in at the hub's page."""
    assert ann.whoami()["servers"]
    session = requests.Session()
    session.trust_env = False
    session.get(f"{rig.url}/hub/login")
    answer = session.post(f"{rig.url}/hub/login", data=form(rig, session), allow_redirects=False)
    assert answer.status_code == 302
    return session


def form(rig: Rig, session: requests.Session) -> dict[str, str]:
    return {
        "username": "ann",
        "password": hub_status.password(rig.place, "ann"),
        "_xsrf": session.cookies.get("_xsrf", path="/hub/") or "",
    }


def sent(
    rig: Rig,
    path: str,
    *,
    host: str = "",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, str, bytes]:
    """Return status, Location and body of a request whose path is sent as it is written."""
    connection = http.client.HTTPConnection("127.0.0.1", rig.state.ports["public"], timeout=60)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or urlsplit(rig.url).netloc)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    told = answer.status, answer.getheader("Location") or "", answer.read(2000)
    connection.close()
    return told


def cookies(session: requests.Session) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in session.cookies)}


@pytest.mark.parametrize("to", ELSEWHERE)
@pytest.mark.parametrize("page", ["/hub/login?next=", "/hub/spawn/ann?next=", "/hub/logout?next="])
def test_nobody_is_sent_to_another_site(
    rig: Rig, browser: requests.Session, page: str, to: str
) -> None:
    with_cookies = {} if "logout" in page else cookies(browser)
    _, location, _ = sent(rig, page + quote(to, safe=""), headers=with_cookies)
    parts = urlsplit(location)
    assert (parts.hostname or "localhost").endswith("localhost"), location
    assert parts.scheme in ("", "http"), location
    assert not location.startswith(("//", "/\\", "\\"))


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/hub/user-redirect//evil.example",
        "/user/ann//evil.example/..",
        "/services/binder//evil.example",
        "/hub/oauth_login?next=//evil.example",
        "/hub/api/oauth2/authorize?client_id=service-binder&response_type=code"
        "&redirect_uri=https://evil.example",
    ],
)
def test_no_path_sends_anybody_to_another_site(
    rig: Rig, browser: requests.Session, path: str
) -> None:
    _, location, _ = sent(rig, path, headers=cookies(browser))
    assert (urlsplit(location).hostname or "localhost").endswith("localhost"), location


def test_a_log_in_that_another_page_sends_is_refused(rig: Rig) -> None:
    session = requests.Session()
    session.trust_env = False
    session.get(f"{rig.url}/hub/login")
    forged = {**form(rig, session), "_xsrf": ""}
    answer = session.post(f"{rig.url}/hub/login", data=forged, allow_redirects=False)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/hub/api/users/ann/tokens"),
        ("DELETE", "/hub/api/users/ann/server"),
        ("POST", "/hub/spawn/ann"),
    ],
)
@pytest.mark.parametrize("token", [None, "0"])
def test_a_request_that_another_page_makes_by_cookie_is_refused(
    rig: Rig, browser: requests.Session, method: str, path: str, token: str | None
) -> None:
    headers = {} if token is None else {"X-XSRFToken": token}
    answer = browser.request(
        method, rig.url + path, headers=headers, json={}, allow_redirects=False
    )
    assert answer.status_code == 403


def test_a_token_in_an_address_opens_nothing(rig: Rig, ann: User) -> None:
    """Addresses are in logs and histories."""
    for path in ("/hub/api/user", "/hub/api/users/ann"):
        assert sent(rig, f"{path}?token={'0' * 32}")[0] == 403
        assert sent(rig, path, headers={"Authorization": f"token {ann.token}"})[0] == 200
        made = ann.ask("POST", "/hub/api/users/ann/tokens", json={"expires_in": 60}).json()["token"]
        assert sent(rig, f"{path}?token={made}")[0] == 403  # though it is a good one


@pytest.mark.parametrize(
    "path",
    [
        "/user/ann/../bob/api/contents",
        "/user/ann/%2e%2e/bob/api/contents",
        "/user/ann/files/../../../secrets.json",
        "/user/ann/files/%2e%2e%2fsecrets.json",
        "/user/ann/files/..%2f..%2fsecrets.json",
        "/user/ann/api/contents/..%2f..%2fsecrets.json",
        "/user/ann/static/..%2f..%2f..%2fetc/passwd",
        "/user/ann%2f..%2fbob/api/contents",
    ],
)
def test_no_path_leads_out_of_ones_server(rig: Rig, ann: User, path: str) -> None:
    host = urlsplit(ann.origin("/user/ann/")).netloc
    status, _, body = sent(rig, path, host=host, headers={"Authorization": f"token {ann.token}"})
    assert status in (302, 400, 403, 404)
    leaked = [one for one in ("root:", *rig.state.secrets.values()) if one.encode() in body]
    assert leaked == []


@pytest.mark.parametrize(
    "path",
    [
        "/hub/static/..%2f..%2f..%2f..%2fetc/passwd",
        "/hub/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/hub/logo/..%2f..%2fetc/passwd",
    ],
)
def test_no_path_leads_out_of_the_hubs_files(rig: Rig, path: str) -> None:
    status, _, body = sent(rig, path)
    assert status in (302, 400, 403, 404)
    assert b"root:" not in body


BIG = {
    "a cookie of 1 MB": {"headers": {"Cookie": "a=" + "x" * 2**20}},
    "a thousand headers": {"headers": {f"X-{number}": "y" for number in range(1000)}},
    "a form of 200 MB": {  # by what it says of itself: it is refused before it comes
        "method": "POST",
        "headers": {"Content-Length": str(200 * 2**20), "Expect": "100-continue"},
    },
}


@pytest.mark.parametrize("what", BIG)
def test_a_big_request_is_refused_and_the_hub_goes_on(rig: Rig, what: str) -> None:
    try:
        status, _, _ = sent(rig, "/hub/login", **BIG[what])  # type: ignore[arg-type]
    except (OSError, http.client.HTTPException):
        status = 0  # the connection was cut
    assert status != 200 or what == "a thousand headers"
    until(lambda: sent(rig, "/hub/api/")[0] == 200)


def test_json_without_an_end_is_refused(rig: Rig, ann: User) -> None:
    body = b"[" * 100_000
    headers = {"Authorization": f"token {ann.token}", "Content-Length": str(len(body))}
    status, _, _ = sent(rig, "/hub/api/users/ann/tokens", method="POST", headers=headers, body=body)
    assert 400 <= status <= 500
    assert sent(rig, "/hub/api/")[0] == 200
