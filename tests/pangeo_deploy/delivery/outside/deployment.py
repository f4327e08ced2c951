"""An AWS account in which the bootstrap was applied, and a machine that deploys to it."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emulated_aws import Account, serve_account, serve_provider
from local_hub import control, hub_state
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.targets import target_of
from pangeo_deploy.targets.rehearsal import hub_definition, hub_place
from pangeo_deploy.terraform.engine import Terraform, find_engine
from tests.conftest import PROJECT
from tests.pangeo_deploy.delivery.conftest import REPOSITORY, Stage, guard
from tests.pangeo_deploy.delivery.iam import trusted
from tests.pangeo_deploy.delivery.outside.aws_calls import Call, recorded
from tests.pangeo_deploy.delivery.outside.iam_actions import Facts
from tests.pangeo_deploy.delivery.outside.internet import internet, sites
from tests.pangeo_deploy.delivery.outside.programs import Machine

STATE = "pangeo-tfstate-{}"
LOGIN = "pangeo-staging/hub/login"
SECRET = "hush-hush-of-github"
# As `make provider-lock` writes it, where the registry is reached. Its checksum is of nothing: the
# provider is attached here, and Terraform neither installs nor compares one.
LOCK = """\
provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.62.0"
  constraints = "~> 6.62"
  hashes      = ["h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
}
"""


@dataclass
class Site:
    """Where the workflows deploy to, and what is seen of it from outside."""

    stage: Stage
    account: Account
    machine: Machine
    calls: list[Call]
    reached: list[str]  # addresses on the internet
    hub: str

    def role(self, name: str) -> tuple[list[str], str]:
        """Return a role's policies and its boundary, as the account has them."""
        iam = self.account.client("iam")
        found = []
        for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            found.append(managed(iam, one["PolicyArn"]))
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            held = iam.get_role_policy(RoleName=name, PolicyName=inline)
            found.append(json.dumps(held["PolicyDocument"]))
        boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
        return found, managed(iam, boundary["PermissionsBoundaryArn"]) if boundary else ""

    def facts(self) -> Facts:
        """Return what the account knows of its things now."""
        iam, tagging = self.account.client("iam"), self.account.client("resourcegroupstaggingapi")
        tags = {
            one["ResourceARN"]: pair["Value"]
            for page in tagging.get_paginator("get_resources").paginate()
            for one in page["ResourceTagMappingList"]
            for pair in one["Tags"]
            if pair["Key"] == "deployment"
        }
        names = [one["RoleName"] for one in iam.list_roles(MaxItems=1000)["Roles"]]
        roles = (iam.get_role(RoleName=name)["Role"] for name in names)
        boundaries = {
            role["RoleName"]: role["PermissionsBoundary"]["PermissionsBoundaryArn"]
            for role in roles
            if "PermissionsBoundary" in role
        }
        return Facts(self.account.account_id, tags, boundaries)


def managed(iam: Any, arn: str) -> str:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    held = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    return json.dumps(held["PolicyVersion"]["Document"])


def bootstrapped(account: Account, attached: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Apply terraform/bootstrap, as a person does once, and return the backends that it prints."""
    shutil.copytree(PROJECT / "terraform", folder)
    root = folder / "bootstrap"
    (root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    terraform = Terraform(find_engine(), root, dict(attached))
    terraform.read("init", "-input=false", "-no-color")
    given = f"-var=github_repository={REPOSITORY}"
    terraform.read("apply", "-input=false", "-no-color", "-auto-approve", given)
    # Only over TLS may the state be read, and this account has none; AWS would refuse it too.
    account.client("s3").delete_bucket_policy(Bucket=STATE.format(account.account_id))
    backends: dict[str, str] = json.loads(terraform.read("output", "-json", "backends"))
    return backends


def own_names(url: str) -> Callable[[str], str]:
    """Return a change of an environment's values: the names are an operator's, not examples."""

    def change(text: str) -> str:
        values = yaml.safe_load(text)
        values["pangeo"]["pangeo"]["url"] = url
        values["pangeo"]["pangeo"]["login"]["teams"] = ["ours:testers"]
        https = values["pangeo"]["jupyterhub"]["proxy"]["https"]
        https["hosts"] = ["hub.pangeo.test"]
        https["letsencrypt"]["contactEmail"] = "operators@pangeo.test"
        return str(yaml.safe_dump(values))

    return change


def changes(backends: Mapping[str, str], url: str) -> dict[str, Callable[[str], str]]:
    """Return what an operator commits before the first deployment (book/operate-delivery.md)."""
    folder = "terraform/environments"
    files = {f"{folder}/{name}.s3.tfbackend": text for name, text in backends.items()}
    files["terraform/.terraform.lock.hcl"] = LOCK
    made: dict[str, Callable[[str], str]] = {
        name: lambda _, text=text: text for name, text in files.items()
    }
    made["helm/environments/staging.yaml"] = own_names(url)
    made["helm/environments/prod.yaml"] = own_names("https://hub.pangeo.test")
    return made


@contextmanager
def on_aws(stage: Stage, folder: Path) -> Iterator[tuple[Site, dict[str, Callable[[str], str]]]]:
    """Yield where a stage's workflows deploy to, and what its operator has to commit.

    The hub that is visited runs on this machine, from the same charts: a hub of Kubernetes would
    need one. It knows the service `smoke` by the token that the cluster's Secret holds, which a
    deployment keeps where it is there already.
    """
    assumed = stage.runner.assumed
    with ExitStack() as stack:
        calls = stack.enter_context(recorded(lambda: assumed[-1].role if assumed else ""))
        account = stack.enter_context(serve_account(folder / "account"))
        attached = stack.enter_context(serve_provider(account, PROJECT / "terraform"))
        backends = bootstrapped(account, attached, folder / "terraform")
        login = json.dumps({"client-id": "an-id", "client-secret": SECRET})
        account.client("secretsmanager").create_secret(Name=LOGIN, SecretString=login)
        programs = Machine(
            stage.runner.shims, folder / "cluster", attached["TF_REATTACH_PROVIDERS"]
        )
        here = Deployment("staging", project=PROJECT, state=folder / "hub")
        stack.enter_context(control.running(hub_definition(here)))
        url = target_of(here).hub_status().url
        token = hub_state.load(hub_place(here).folder).secrets["smoke"].encode()
        held = {"hub.services.smoke.apiToken": base64.b64encode(token).decode()}
        metadata = {"name": "pangeo-hub", "namespace": "pangeo"}
        programs.hold({"kind": "Secret", "metadata": metadata, "data": held})
        network, reached = stack.enter_context(internet(sites(PROJECT / "helm"), folder))
        site = Site(stage, account, programs, calls, reached, url)
        # Asked before any job has a role: what is asked later is asked by a job.
        listed = account.client("iam").list_roles(MaxItems=1000)["Roles"]
        trust = {one["RoleName"]: json.dumps(one["AssumeRolePolicyDocument"]) for one in listed}
        guard(stage)
        stage.github.variables.update(
            PANGEO_TARGET="aws", AWS_REGION=account.region, AWS_ACCOUNT_ID=account.account_id
        )
        stage.runner.trust = lambda role, claims: trusted(trust[role], claims)
        stage.runner.secrets = {}  # no PANGEO_HUB_TOKEN: nobody has logged in yet
        stage.runner.extra |= {
            **network,
            "AWS_ENDPOINT_URL": account.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CLUSTER": str(programs.cluster),
        }
        yield site, changes(backends, url)
