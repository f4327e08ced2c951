"""The internet as far as a deployment reaches it, on this machine, at its own addresses.

A proxy (HTTPS_PROXY) that answers for the hosts it knows, with a certificate that clients are told
to trust, and refuses all others by name. So Helm itself fetches the charts that ours depend on, by
their locks, from the repositories that Chart.yaml names:

- a repository is an index.yaml with archives beside it (https://helm.sh/docs/topics/chart_repository);
- a registry has manifests and blobs (https://github.com/opencontainers/distribution-spec, and for
  what a chart's manifest holds https://helm.sh/docs/topics/registries);
- checkip.amazonaws.com answers with the caller's address and a line break.

The charts are stand-ins: the name and version are those of the locks, the content is next to none.
What the real ones render is for `make cluster-test`, where they can be fetched.
"""

import datetime
import hashlib
import io
import ipaddress
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pangeo_deploy.charts.dependencies import declared

ADDRESS = "192.0.2.9"  # of the machine, as others see it
Sites = dict[str, dict[str, bytes]]  # host -> path -> content

# What of a dependency a deployment looks at by itself, rather than through Helm: the hub's Service
# once it is installed, and CRDs, which it applies. JupyterHub's templates/proxy/service.yaml.
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: proxy-public
  labels: {app: jupyterhub, component: proxy-public, release: {{ .Release.Name }}}
  annotations: {{ .Values.proxy.service.annotations | toJson }}
spec:
  type: {{ .Values.proxy.service.type | default "LoadBalancer" }}
  selector: {component: proxy, release: {{ .Release.Name }}}
  ports: [{name: http, port: 80, targetPort: http}]
"""
# templates/hub/pvc.yaml of the same chart: our own CronJob saves what is on it.
DATABASE = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: hub-db-dir
  labels: {app: jupyterhub, component: hub, release: {{ .Release.Name }}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: nodepools.karpenter.sh}
spec:
  group: karpenter.sh
  names: {kind: NodePool, plural: nodepools}
  scope: Cluster
  versions: []
"""
CONTENT = {
    "jupyterhub": {"templates/proxy/service.yaml": SERVICE, "templates/hub/pvc.yaml": DATABASE},
    "karpenter": {"crds/karpenter.sh_nodepools.yaml": CRD},
}


def packed(name: str, version: str) -> bytes:
    """Return a chart's archive."""
    metadata = {"apiVersion": "v2", "name": name, "version": version}
    files = {"Chart.yaml": yaml.safe_dump(metadata), "values.yaml": "", **CONTENT.get(name, {})}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


def sites(helm: Path) -> Sites:
    """Return what is to be had, for the charts in a folder."""
    found: Sites = {"checkip.amazonaws.com": {"/": f"{ADDRESS}\n".encode()}}
    for chart in sorted(helm.glob("*/Chart.yaml")):
        for one in declared(chart.parent):
            name, version = one["name"], str(one["version"])
            address = urlsplit(one["repository"])
            site = found.setdefault(str(address.hostname), {})
            add = _in_registry if address.scheme == "oci" else _in_repository
            add(site, address.path.rstrip("/"), name, version, packed(name, version))
    return found


def _in_repository(
    site: dict[str, bytes], folder: str, name: str, version: str, archive: bytes
) -> None:
    file = f"{name}-{version}.tgz"
    entry = {"apiVersion": "v2", "name": name, "version": version, "urls": [file]}
    entry["digest"] = hashlib.sha256(archive).hexdigest()
    index = {"apiVersion": "v1", "entries": {name: [entry]}}
    site |= {f"{folder}/index.yaml": yaml.safe_dump(index).encode(), f"{folder}/{file}": archive}


def _in_registry(
    site: dict[str, bytes], folder: str, name: str, version: str, archive: bytes
) -> None:
    config = json.dumps({"name": name, "version": version, "apiVersion": "v2"}).encode()
    kinds = {"config": "application/vnd.cncf.helm.config.v1+json"}
    kinds["chart"] = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    held = {"config": config, "chart": archive}
    blobs = {
        key: {"mediaType": kinds[key], "digest": digest(content), "size": len(content)}
        for key, content in held.items()
    }
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blobs["config"],
            "layers": [blobs["chart"]],
        }
    ).encode()
    here = f"/v2{folder}/{name}"
    site |= {f"{here}/manifests/{which}": manifest for which in (version, digest(manifest))}
    site |= {f"{here}/blobs/{digest(content)}": content for content in held.values()}
    site["/v2/"] = b"{}"


MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def certified(hosts: list[str], folder: Path) -> Path:
    """Make a certificate for all hosts, which vouches for itself; return the file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The internet of a test")])
    now = datetime.datetime.now(datetime.UTC)
    known = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    vouches = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(known, False)
        .add_extension(vouches, False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "internet.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


@contextmanager
def internet(known: Sites, folder: Path) -> Iterator[tuple[Mapping[str, str], list[str]]]:
    """Serve the sites; yield what has programs reach them, and the addresses asked for."""
    file = certified(sorted(known), folder)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(file)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_CONNECT(self) -> None:
            self.host = self.path.partition(":")[0]
            if self.host not in known:
                asked.append(f"https://{self.path}")
                self.send_error(502, f"There is no {self.host} here")
                return
            self.send_response(200)
            self.end_headers()
            self.connection = secure.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
            self.close_connection = False

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            asked.append(f"https://{self.host}{path}")
            content = known[self.host].get(path)
            self.send_response(404 if content is None else 200)
            content = content or b""
            self.send_header("Content-Length", str(len(content)))
            if "/manifests/" in path:
                self.send_header("Content-Type", MANIFEST)
                self.send_header("Docker-Content-Digest", digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    address = str(ipaddress.ip_address("127.0.0.1"))
    try:
        yield (
            {
                "HTTPS_PROXY": f"http://{address}:{server.server_port}",
                "NO_PROXY": f"{address},localhost",
                "SSL_CERT_FILE": str(file),
                "REQUESTS_CA_BUNDLE": str(file),
            },
            asked,
        )
    finally:
        server.shutdown()
        server.server_close()
