"""A real Prometheus on loopback, loaded with history; and an HTTP service that answers anything."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from pangeo_deploy.terraform import child

ZERO = 1_720_000_000  # 2024-07-03T09:46:40Z


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class History:
    """Samples to load: `add(metric, labels, value, from, to)` every `step` seconds."""

    def __init__(self, step=60):
        self.step, self.lines = step, {}

    def add(self, metric, value, start, end, step=None, **labels):
        shown = ",".join(f'{k}="{v}"' for k, v in labels.items())
        for t in range(start, end, step or self.step):
            self.lines.setdefault(metric, []).append((t, f"{metric}{{{shown}}} {value} {ZERO + t}"))

    def pod(self, name, start, end, first=None, last=None, user="ada", uid=None, **options):
        """A pod that ran from `start` to `end` seconds and was scraped from `first` to `last`."""
        ids = {"namespace": "prod", "pod": name, "uid": uid or name, "instance": "ksm-1"}
        ids |= options.pop("labels", {})
        component = options.pop("component", "singleuser-server")
        seen = (first if first is not None else start, last if last is not None else end)
        self.add("kube_pod_start_time", options.pop("value", ZERO + start), *seen, **ids)
        self.add("kube_pod_labels", 1, *seen, **ids, label_component=component)
        if user:
            named = {"annotation_hub_jupyter_org_username": user}
            self.add("kube_pod_annotations", 1, *seen, **ids, **named)
        for resource, value in (("cpu", 0.5), ("memory", 2 * 1024**3)):
            more = {
                "resource": resource,
                "node": options.get("node", "n1"),
                "container": "notebook",
            }
            self.add("kube_pod_container_resource_requests", value, *seen, **ids, **more)

    def used(self, name, start, end, cores, gib, step=None):
        """What cAdvisor sees of a pod's container: a counter from nought, and memory in use."""
        ids = {"namespace": "prod", "pod": name, "container": "notebook"}
        for t in range(start, end, step or self.step):
            self.add("container_cpu_usage_seconds_total", cores * (t - start), t, t + 1, 1, **ids)
        self.add("container_memory_working_set_bytes", gib * 1024**3, start, end, step, **ids)

    def text(self):
        blocks = []
        for metric, lines in self.lines.items():
            blocks.append(f"# TYPE {metric} gauge")
            blocks += [line for _, line in sorted(lines, key=lambda one: one[0])]
        return "\n".join([*blocks, "# EOF"]) + "\n"


@pytest.fixture
def prometheus(tmp_path):
    """Return `serve(history, *options)`: a Prometheus with that history; gone after the test."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("Prometheus is not installed (Debian: apt-get install prometheus).")
    running = []

    def serve(history, *options):
        text, data = tmp_path / "history.txt", tmp_path / "data"
        text.write_text(history.text())
        (tmp_path / "p.yml").write_text("scrape_configs: []\n")
        load = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
        subprocess.run(load, check=True, capture_output=True, timeout=60)
        port = free_port()
        command = [
            # Not a function between fork and exec: other tests' threads hold locks.
            *(sys.executable, "-I", "-S", child.__file__, shutil.which("prometheus")),
            f"--config.file={tmp_path / 'p.yml'}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            *options,
        ]
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        running.append(process)
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                if requests.get(f"{url}/-/ready", timeout=1).ok:
                    return url
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise AssertionError((tmp_path / "log").read_text()[-2000:])

    yield serve
    for process in running:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def service():
    """Return `answer(function)`: a service whose answers `function(path)` makes: (status, body)."""
    servers = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(
                    body.encode() if isinstance(body, str) else json.dumps(body).encode()
                )

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
