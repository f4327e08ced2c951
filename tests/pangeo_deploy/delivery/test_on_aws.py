"""The steps for AWS, carried out: a pull request is reviewed, merged, and deployed to staging.

What is real: Terraform with its S3 backend, the charts and Helm's program, boto3, the hub that is
visited, and every step's own command. What stands in for AWS is the emulated account, served to all
of them, with the provider's stand-in; for the internet, `outside/internet.py`; for the cluster,
`outside/programs.py`. Production's reviewers say no: its job would repeat staging's steps.

The provider asks AWS through its stand-in here. The real one reads more about each resource (an
S3 bucket's logging and website, for example), which no test without the registry can see; `make
conformance` runs it.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.pangeo_deploy.delivery.conftest import Stage
from tests.pangeo_deploy.delivery.iam import allowed
from tests.pangeo_deploy.delivery.outside.aws_calls import Call
from tests.pangeo_deploy.delivery.outside.deployment import LOGIN, SECRET, Site, on_aws
from tests.pangeo_deploy.delivery.outside.iam_actions import Facts, asked
from tests.pangeo_deploy.delivery.outside.internet import ADDRESS
from tests.pangeo_deploy.delivery.outside.programs import real_helm
from tests.pangeo_deploy.delivery.results import Run
from tests.pangeo_deploy.delivery.test_workflows import WORKFLOWS, flat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not real_helm(), reason="no helm: make .venv/programs.installed"),
]
PLAN, APPLY, PROD = "pangeo-plan", "pangeo-staging-apply", "pangeo-prod-apply"

# Steps of a job that deploys to AWS that do not end in success here, how they end, and why.
NOT_CARRIED_OUT = {
    "The rehearsed account": ("skipped", "the state is in its bucket"),
    "What was deployed then": ("skipped", "only a rollback has a source: test_by_hand.py"),
    "Benchmark": ("failure", "a campaign on AWS runs in a server of the hub; nothing waits for it"),
    "A state that could not be saved": ("skipped", "only after a failure, and none is lost here"),
    "Put the hub to rest": ("skipped", "the rehearsal's"),
    "Keep the rehearsed account": ("skipped", "the rehearsal's"),
}
# Steps that are played or replaced, of those that end in success.
REPLACED = {
    "Checkout": "a clone, instead of GitHub's action",
    "Python": "the interpreter of the tests, instead of GitHub's action",
    "Packages": "a script: what make installs is tested by running the tests",
    "helm and kubectl": "a script: helm is the real one, and records; kubectl is a stand-in",
    "The review": "a folder on this machine, instead of GitHub's artifacts",
    "Credentials": "the role's trust policy is evaluated; who has which role is written down",
    "Keep what was shown": "a folder on this machine, instead of GitHub's artifacts",
    "The record": "a folder on this machine, instead of GitHub's artifacts",
}
# Their own commands, against what stands in for AWS, for the cluster and for the internet.
CARRIED_OUT = {
    "Turn", "Plan again", "Show", "Apply", "Open the Kubernetes API", "Room for an event",
    "Charts and smoke test", "Close the Kubernetes API", "Record",
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a review and a deployment did, and what they asked of AWS."""

    site: Site
    review: Run
    run: Run
    calls: tuple[Call, ...]
    facts: Facts
    roles: dict[str, tuple[list[str], str]]  # policies and boundary

    def of(self, *names: str) -> list[Call]:
        return [call for call in self.calls if str(call) in names]


@pytest.fixture(scope="module")
def done(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    with on_aws(stage, tmp_path_factory.mktemp("aws")) as (site, changes):
        stage.runner.rejected = {"prod"}
        event = stage.open_pull(7, stage.commit(changes, "first"))
        review = stage.runner.run("review.yml", event)
        stage.approve(7)
        run = stage.runner.run("deploy.yml", stage.merge(7, "squash"))
        calls = tuple(call for call in site.calls if call.role)
        roles = {name: site.role(name) for name in (PLAN, APPLY, PROD)}
        yield Done(site, review, run, calls, site.facts(), roles)


def test_the_reviewed_change_is_deployed_to_staging_and_waits_for_production(done: Done) -> None:
    assert done.review.result == "success", done.review.log
    assert done.run.results == {
        "reviewed": "success",
        "staging": "success",
        "preview": "success",
        "production": "failure",  # as its reviewers said
        "keep": "success",
        "notify": "success",
    }, done.run.log
    assert done.run.jobs["production"].steps == []
    (record,) = [json.loads(content) for content in done.site.stage.github.files.values()]
    assert (record["environment"], record["target"]) == ("staging", "aws")
    assert (record["outcome"], record["smoke"], record["benchmark"]) == ("success", True, None)
    assert record["seconds"].keys() == {"apply", "charts"}
    assert record["resources"]["create"] > 100
    assert done.site.account.client("eks").list_clusters()["clusters"] == ["pangeo-staging"]
    assert all(role != PROD for role in {call.role for call in done.calls})


@pytest.mark.parametrize("job", ["staging", "preview"])
def test_each_step_is_carried_out_or_named_with_the_reason(done: Done, job: str) -> None:
    """A new step must be in one of the three tables above."""
    names = [step["name"] for step in flat(WORKFLOWS["deploy.yml"]["jobs"][job]["steps"])]
    ended = {step.name: step.outcome for step in done.run.jobs[job].steps}
    for name in names:
        kinds = (name in NOT_CARRIED_OUT, name in REPLACED, name in CARRIED_OUT)
        assert sum(kinds) == 1, f"{name} is a step that no table knows, or more than one"
        expected = NOT_CARRIED_OUT[name][0] if name in NOT_CARRIED_OUT else "success"
        assert ended[name] == expected, f"{name}: {done.run.jobs[job].log}"
    order = [step.name for step in done.run.jobs[job].steps if step.name in names]
    assert order == names
    if job == "staging":
        assert set(names) >= CARRIED_OUT
        assert "no gateway that can be reached from here" in done.run.jobs[job].log


def test_the_visit_is_of_a_user_whom_the_service_smoke_may_be(done: Done) -> None:
    """Nobody has logged in at a new hub, so that there is no person's token yet."""
    log = done.run.jobs["staging"].log
    steps = ["log in", "start a server", "run code", "use scratch", "make a cluster", "compute"]
    places = [log.index(f"✓ {step}") for step in steps]
    assert places == sorted(places)
    assert "✓ log in smoke-test is known" in log
    assert log.index("✓ load balancer nlb.elb.test") < places[0]


def test_what_helm_is_told(done: Done) -> None:
    told = done.site.machine.told("helm")
    begun = next(n for n, line in enumerate(told) if line.startswith("repo add"))
    verbs = [" ".join(line.split()[:2]) for line in told[begun:]]
    chart = ["status", "status", "show", "upgrade", "status"]
    deployed = [verb.split()[0] for verb in verbs if not verb.startswith(("template", "version"))]
    several = [n for n, verb in enumerate(deployed) if verb in EACH and verb == deployed[n - 1]]
    once = [verb for n, verb in enumerate(deployed) if n not in several]
    assert once == ["repo", "dependency", "repo", "dependency", *chart, *chart]
    upgrades = [line.split() for line in told if line.startswith("upgrade")]
    for line, name in zip(upgrades, ("support", "pangeo"), strict=True):
        assert line[line.index("--namespace") + 1 :][:2] == [name, name]
        assert {"--install", "--wait", "--timeout"} <= set(line)
        assert {"--rollback-on-failure", "--atomic"} & set(line)  # Helm 4's word, or Helm 3's
    support, pangeo = done.site.machine.given("helm upgrade --install")
    outputs = {"support": support["cluster"]["name"], "pangeo": pangeo["pangeo"]["region"]}
    assert outputs == {"support": "pangeo-staging", "pangeo": "us-west-2"}
    assert support["karpenter"]["settings"]["interruptionQueue"] == "pangeo-staging-interruptions"
    assert pangeo["pangeo"]["scratch"]["bucket"].startswith("pangeo-staging-scratch")
    assert not [line for line in told if SECRET in line]


EACH = {"repo", "show"}  # once for each dependency


def test_what_kubectl_is_told(done: Done) -> None:
    machine = done.site.machine
    assert machine.told("aws") == ["eks update-kubeconfig --name pangeo-staging"]
    told = machine.told("kubectl")
    assert told[:2] == ["config current-context", "version --output json"]
    applied = machine.given("kubectl apply")
    assert [f"{one['kind']}/{one['metadata']['name']}" for one in applied] == [
        "Namespace/pangeo",
        "Namespace/support",
        "Secret/pangeo-login",
        "Secret/pangeo-hub",
        "Secret/hub-metrics",
        "Secret/grafana-admin",
        "CustomResourceDefinition/nodepools.karpenter.sh",
    ]
    login = {key: base64.b64decode(value).decode() for key, value in applied[2]["data"].items()}
    assert login == {"client-id": "an-id", "client-secret": SECRET}
    assert not [line for line in told if "delete" in line or SECRET in line]
    assert told[-1].startswith("get secret pangeo-hub")  # the token of the visit


def test_the_kubernetes_api_is_open_to_the_runner_alone_and_then_closed(done: Done) -> None:
    opened, closed = (
        call.params["resourcesVpcConfig"] for call in done.of("eks:UpdateClusterConfig")
    )
    assert opened["endpointPublicAccess"] is True
    assert opened["publicAccessCidrs"] == [f"{ADDRESS}/32"]
    assert closed == {"endpointPublicAccess": False, "endpointPrivateAccess": True}


def test_the_charts_come_from_their_repositories_by_their_locks(done: Done) -> None:
    """The old code built them from repositories that nobody had added; Helm refuses that."""
    hosts = {address.split("/")[2] for address in done.site.reached}
    assert hosts == {
        "checkip.amazonaws.com",
        "jupyterhub.github.io",
        "helm.dask.org",
        "2i2c.org",
        "public.ecr.aws",
        "prometheus-community.github.io",
        "grafana-community.github.io",
    }


def refused(done: Done, role: str, calls: tuple[Call, ...] | list[Call]) -> list[str]:
    """Return what a role may not do of what calls need."""
    policies, boundary = done.roles[role]
    found = {one for call in calls for one in asked(call, done.facts)}
    return sorted(
        f"{one.action} on {one.resource} with {dict(one.context)}"
        for one in found
        if not allowed(policies, boundary, one.action, one.resource, one.context)
    )


def test_each_role_may_do_all_that_its_jobs_asked_of_aws(done: Done) -> None:
    """By its policies and its boundary, as the bootstrap made them in the account."""
    accepted = {one.role for one in done.site.stage.runner.assumed if one.accepted}
    assert accepted == {PLAN, APPLY}
    assert {call.role for call in done.calls} == accepted
    assert len(done.of("secretsmanager:GetSecretValue", "eks:CreateCluster")) == 2
    for role in sorted(accepted):
        mine = [call for call in done.calls if call.role == role]
        assert len(mine) > 50, role
        assert refused(done, role, mine) == []


def test_a_plan_may_read_what_an_apply_reads(done: Done) -> None:
    """The next change's plan refreshes what this deployment made, with the role that only reads."""
    reads = [call for call in done.calls if call.operation.startswith(("Describe", "Get", "List"))]
    not_a_plans = {"secretsmanager:GetSecretValue"}
    locks = [call for call in reads if str(call.params.get("Key", "")).endswith(".tflock")]
    plain = [call for call in reads if str(call) not in not_a_plans and call not in locks]
    assert len({str(call) for call in plain}) > 50
    assert refused(done, PLAN, plain) == []
    assert refused(done, PLAN, done.of(*not_a_plans)) != []
    assert refused(done, PLAN, done.of("eks:CreateCluster", "s3:CreateBucket")) != []


def test_another_environments_role_may_not_do_what_this_one_did(done: Done) -> None:
    """So the evaluation tells roles apart: every change, but of what AWS cannot tell by name."""
    free = {"ec2", "elasticfilesystem", "kms"}  # by their tags: test_trust.py
    for call in done.calls:
        writes = not call.operation.startswith(("Describe", "Get", "List"))
        if call.role == APPLY and writes and call.service not in free:
            assert refused(done, PROD, [call]), call


def test_a_right_that_is_taken_away_is_missed(done: Done) -> None:
    """The old apply role could not read the login's secret, and no deployment could have ended."""
    policies, boundary = done.roles[APPLY]
    (read,) = done.of("secretsmanager:GetSecretValue")
    assert read.params["SecretId"] == LOGIN
    (one,) = asked(read, done.facts)
    assert allowed(policies, boundary, one.action, one.resource, one.context)
    without = [json.dumps(dropped(json.loads(each), "ReadLogin")) for each in policies]
    assert not allowed(without, boundary, one.action, one.resource, one.context)


def dropped(document: dict[str, Any], sid: str) -> dict[str, Any]:
    return {**document, "Statement": [one for one in document["Statement"] if one["Sid"] != sid]}
