"""What the charts need of AWS: roles and rights, tags, versions, names that are not examples."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

import hcl2

from pangeo_deploy.charts.dependencies import declared, enabled
from pangeo_deploy.charts.trees import Values
from pangeo_deploy.charts.values import LOAD_BALANCER_TAGS
from pangeo_deploy.preflight.facts import Facts

Told = tuple[str, str, str]

# What `charts deploy` and the workflows call beside Terraform, with the apply role.
DEPLOY_CALLS = (
    "secretsmanager:GetSecretValue",
    "eks:DescribeCluster",
    "eks:UpdateClusterConfig",
    "s3:GetObject",
    "s3:PutObject",
    "tag:GetResources",
)
# The first minor version of Karpenter that knows a Kubernetes (its compatibility matrix).
KARPENTER_FOR = {"1.34": (1, 6), "1.35": (1, 9), "1.36": (1, 13)}
EXAMPLE = re.compile(r"(^|[./@])example\.(org|com|net)$|^pangeo-data(:|$)|^$")


def pod_identity(facts: Facts) -> Iterator[Told]:
    """Each role that Terraform ties to a service account is tied to one that a chart makes."""
    accounts = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in facts.of_kind("ServiceAccount")
    }
    for tied in facts.of_type("aws_eks_pod_identity_association"):
        pair = (tied["namespace"], tied["service_account"])
        if pair in accounts or pair in _promised(facts):
            continue
        yield (
            f"aws_eks_pod_identity_association {pair[0]}/{pair[1]}",
            "no chart makes this service account, so its pods get no credentials",
            "Correct the namespace or name in terraform/, or the account's name in helm/.",
        )


def _promised(facts: Facts) -> set[tuple[str, str]]:
    """Return the accounts named by the values of charts that were not rendered.

    In a clone without the dependencies these are all charts, elsewhere those that are switched
    off: Terraform has Binder's role ready while Binder is off.
    """
    found = set()
    for chart, values in facts.values.items():
        parts: list[Any] = [values]
        if facts.whole:
            parts = [
                values.get(one["name"], {})
                for one in declared(facts.project / "helm" / chart)
                if not enabled(one, values)
            ]
        for tree in chain.from_iterable(map(_trees, parts)):
            account = tree.get("serviceAccount")
            if isinstance(account, dict) and account.get("name"):
                found.add((chart, account["name"]))
    return found


def _trees(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _trees(value)


def permissions(facts: Facts) -> Iterator[Told]:
    """What a role is given its boundary allows too, and what a deploy calls the apply role may."""
    terraform = facts.project / "terraform"
    boundaries = documents(terraform / "bootstrap" / "policies.tf")
    for file in ("identity/policies.tf", "nodes/karpenter.tf", "registry/main.tf"):
        for name, actions in documents(terraform / "modules" / file).items():
            for action in actions:
                if not action.startswith("sts:") and not _allows(
                    boundaries["workload_boundary"], action
                ):
                    yield (
                        f"terraform/modules/{file}: {name}",
                        f"{action} is given, and workload_boundary does not allow it",
                        "Add it to workload_boundary in terraform/bootstrap/policies.tf.",
                    )
    for action in DEPLOY_CALLS:
        for name in ("apply", "deployer_boundary"):
            if not _allows(boundaries[name], action):
                yield (
                    f"terraform/bootstrap/policies.tf: {name}",
                    f"a deploy calls {action}, which it does not allow",
                    f"Add it to the policy document {name}.",
                )


def documents(file: Path) -> dict[str, list[str]]:
    """Return the actions that each policy document of an HCL file allows.

    Lists that are named in `locals` are followed; what only an apply knows is not.
    """
    content = hcl2.loads(file.read_text())
    known: dict[str, Any] = {}
    for block in content.get("locals") or ():
        known |= block
    found: dict[str, list[str]] = {}
    for block in content.get("data") or ():
        for kind, named in block.items():
            if _plain(kind) != "aws_iam_policy_document":
                continue
            for name, body in named.items():
                found[_plain(name)] = [
                    action
                    for statement in body.get("statement") or ()
                    if _plain(statement.get("effect", "Allow")) == "Allow"
                    for action in _actions(statement.get("actions"), known)
                ]
    return found


def _plain(text: object) -> str:
    return str(text).strip('"')


def _actions(value: Any, known: Mapping[str, Any]) -> list[str]:
    if isinstance(value, list):
        return [action for one in value for action in _actions(one, known)]
    text = str(value)
    found = re.findall(r"[a-z0-9-]+:[A-Za-z*]+", text)
    for name in re.findall(r"local\.(\w+)", text):
        found += _actions(known.get(name), known) if name in known else []
    return found


def _allows(patterns: list[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def tags(facts: Facts) -> Iterator[Told]:
    """What controllers make in AWS carries the tags by which budget, bill and sweep find it."""
    wanted = dict(facts.outputs.get("tags") or {})
    pools = facts.of_kind("EC2NodeClass")
    if not wanted:
        if pools:
            yield "outputs.tags", "Terraform gives no tags", "Add the output `tags`."
        return
    for one in pools:
        if missing := wanted.keys() - {
            key
            for key, value in (one["spec"].get("tags") or {}).items()
            if wanted.get(key) == value
        }:
            yield (
                f"EC2NodeClass/{one['metadata']['name']}",
                f"its machines lack the tags {', '.join(sorted(missing))}: no budget sees them",
                "Give them cluster.tags, in helm/support/templates/nodepools.yaml.",
            )
    proxy = facts.values["pangeo"]["jupyterhub"]["proxy"]
    told = (proxy.get("service") or {}).get("annotations") or {}
    given = dict(part.split("=", 1) for part in told.get(LOAD_BALANCER_TAGS, "").split(",") if part)
    if pools and wanted.items() - given.items():
        yield (
            "pangeo.jupyterhub.proxy.service.annotations",
            "the load balancer lacks tags of the deployment",
            f"Set {LOAD_BALANCER_TAGS} from Terraform's outputs.",
        )


def versions(facts: Facts) -> Iterator[Told]:
    """Karpenter knows the Kubernetes that Terraform asks for."""
    for cluster in facts.of_type("aws_eks_cluster"):
        needs = KARPENTER_FOR.get(cluster["version"])
        for one in declared(facts.project / "helm" / "support"):
            if one["name"] != "karpenter":
                continue
            has = tuple(int(part) for part in one["version"].split(".")[:2])
            if needs is None or has < needs:
                yield (
                    "helm/support/Chart.yaml: karpenter",
                    f"{one['version']} does not know Kubernetes {cluster['version']}"
                    + (f", {needs[0]}.{needs[1]} is the first that does" if needs else ""),
                    "Raise Karpenter first (its compatibility matrix says to which).",
                )


def policies_enforced(facts: Facts) -> Iterator[Told]:
    """The network plug-in enforces the policies that the charts install."""
    for addon in facts.of_type("aws_eks_addon"):
        if addon["addon_name"] == "vpc-cni" and "enableNetworkPolicy" not in str(
            addon.get("configuration_values")
        ):
            yield (
                "aws_eks_addon vpc-cni",
                "network policies are accepted and enforced by nobody",
                'Set configuration_values to {"enableNetworkPolicy": "true"}.',
            )


def placeholders(facts: Facts) -> Iterator[Told]:
    """On an account, no address, team or name is an example's."""
    if facts.for_real:
        yield from examples(facts.environment, facts.values["pangeo"])


def examples(environment: str, values: Values) -> Iterator[Told]:
    """Yield the names that an environment's values still have from the example."""
    https = values["jupyterhub"]["proxy"].get("https") or {}
    told = [("pangeo.pangeo.url", values["pangeo"]["url"])]
    if https.get("enabled"):
        where = "pangeo.jupyterhub.proxy.https"
        email = (https.get("letsencrypt") or {}).get("contactEmail", "")
        told += [(f"{where}.hosts", host) for host in https.get("hosts") or [""]]
        told += [(f"{where}.letsencrypt.contactEmail", email)]
    told += [("pangeo.pangeo.login.teams", team) for team in values["pangeo"]["login"]["teams"]]
    for where, value in told:
        if EXAMPLE.search(str(value)):
            fix = f"Write your own into helm/environments/{environment}.yaml."
            yield where, f"{value!r} is an example", fix
