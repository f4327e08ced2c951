"""A Kubernetes control plane on the loopback address: everything that admits and schedules pods.

The real etcd, API server, controller manager and scheduler, with RBAC, admission and service
account tokens. There is no kubelet: nodes are objects, and what a pod does is up to the test.
"""

import json
import os
import secrets
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ASSETS = Path(os.environ.get("KUBEBUILDER_ASSETS", ""))
PATIENCE_SECONDS = 240.0
# Whom the API server knows by a token, and their groups.
USERS = {
    "admin": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
}


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane; `kubeconfig` is its administrator's."""

    folder: Path
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and helm reach it, and nothing else."""
        homes = {
            f"HELM_{kind}_HOME": str(self.folder / kind) for kind in ("CACHE", "CONFIG", "DATA")
        }
        path = f"{ASSETS}:{os.environ['PATH']}"
        return {**os.environ, **homes, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *words: str, given: object = None, check: bool = True) -> str:
        """Run kubectl and return what it says, refusals included unless `check`."""
        text = given if isinstance(given, str) else json.dumps(given)
        done = subprocess.run(
            [str(ASSETS / "kubectl"), *words],
            input=text if given is not None else None,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout + (done.stderr if done.returncode else "")

    def json(self, *words: str) -> Any:
        """Return kubectl's answer as JSON."""
        return json.loads(self.run(*words, "--output", "json"))

    def apply(self, *manifests: Mapping[str, Any], words: tuple[str, ...] = ()) -> str:
        """Have the cluster hold manifests."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return self.run("apply", "--server-side", *words, "-f", "-", given=items)

    def wait(self, what: str, condition: Any) -> Any:
        """Return what the condition returns once it holds."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := condition()):
            if time.monotonic() > until:
                raise AssertionError(f"{what}: not after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.2)
        return found


@contextmanager
def control_plane(folder: Path, context: str = "test") -> Iterator[ControlPlane]:
    """Start a control plane with its files in `folder`, and end it with the `with` block."""
    client, peer, api, manager, scheduler = _free_ports(5)
    tokens = {user: secrets.token_hex(16) for user in USERS}
    key = _service_account_key(folder)
    lines = [f'{tokens[user]},{user},{user},"{group}"' for user, group in USERS.items()]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    store, quiet = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    certificate = folder / "certificates" / "apiserver.crt"
    with ExitStack() as stack:
        start = _Starter(folder, stack)
        start(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls={quiet}",
            f"--initial-advertise-peer-urls={quiet}",
            f"--initial-cluster=default={quiet}",
            "--unsafe-no-fsync",
        )
        start(
            "kube-apiserver",
            f"--etcd-servers={store}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # it may not announce a loopback address
            f"--secure-port={api}",
            f"--cert-dir={certificate.parent}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--allow-privileged",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--shutdown-delay-duration=0s",
        )
        start.until("the API server's certificate", certificate.exists)
        server = f"https://127.0.0.1:{api}"
        for user in USERS:
            _kubeconfig(
                folder / f"{user.split(':')[-1]}.kubeconfig",
                server,
                certificate,
                tokens[user],
                context,
            )
        plane = ControlPlane(folder, folder / "admin.kubeconfig")
        start.until(
            "the API server", lambda: plane.run("get", "--raw", "/readyz", check=False) == "ok"
        )
        for name, port, words in (
            (
                "kube-controller-manager",
                manager,
                (
                    "--use-service-account-credentials",
                    f"--service-account-private-key-file={key}",
                    f"--root-ca-file={certificate}",
                    # Nobody sends a heartbeat for the nodes.
                    "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
                ),
            ),
            ("kube-scheduler", scheduler, ()),
        ):
            known = folder / f"{name}.kubeconfig"
            start(
                name,
                f"--kubeconfig={known}",
                f"--authentication-kubeconfig={known}",
                f"--authorization-kubeconfig={known}",
                "--authentication-tolerate-lookup-failure",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={folder / name}",
                "--leader-elect=false",
                *words,
            )
        account = ("get", "serviceaccount", "default")
        start.until(
            "the controller manager", lambda: "default" in plane.run(*account, check=False).split()
        )
        yield plane


class _Starter:
    """Start programs, tell when one ends that should not, and end them all in the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self, name: str, *words: str) -> None:
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen([str(ASSETS / name), *words], stdout=log, stderr=log)
        self.running[name] = process
        self.stack.callback(_end, process)

    def until(self, what: str, condition: Any) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            for name, process in self.running.items():
                if process.poll() is not None:
                    last = (self.folder / f"{name}.log").read_text()[-1500:]
                    raise AssertionError(f"{name} ended while waiting for {what}: {last}")
            if time.monotonic() > until:
                raise AssertionError(f"{what}: not there after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def _service_account_key(folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = folder / "service-accounts.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return file


def _kubeconfig(file: Path, server: str, certificate: Path, token: str, context: str) -> None:
    authority = b64encode(certificate.read_bytes()).decode()
    cluster = {"server": server, "certificate-authority-data": authority}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": "user"}}],
    }
    file.write_text(json.dumps(config))
    file.chmod(0o600)
