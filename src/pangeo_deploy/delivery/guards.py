"""What keeps people from deploying alone: the settings at GitHub, asked for and not assumed.

Only settings that the token of a workflow can read are asked for: environments, and the rules for
a branch. The older branch protection is for administrators to read, and so does not count.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pangeo_deploy.delivery.github import GitHubRefused, Repository
from pangeo_deploy.delivery.provenance import MAIN

NOT_OFFERED = (403, 404)  # private repositories of plans without rules


def of_environment(repository: Repository, environment: str, *, reviewers: bool) -> list[str]:
    """Return what is wrong with the protection of an environment; nothing if it is guarded."""
    found = repository.find(f"environments/{environment}")
    if found is None:
        return [f"{environment}: there is no such environment, and a run would make an open one"]
    rules = {rule["type"]: rule for rule in found.get("protection_rules", ())}
    wrong = []
    if reviewers and not (rules.get("required_reviewers") or {}).get("reviewers"):
        wrong.append(
            f"{environment}: nobody has to approve a deployment (GitHub offers required reviewers "
            "in public repositories, and in private ones with GitHub Enterprise)"
        )
    elif reviewers and not rules["required_reviewers"].get("prevent_self_review"):
        wrong.append(f"{environment}: who starts a deployment may approve it")
    if _branches(repository, environment, found) != [MAIN]:
        wrong.append(f"{environment}: may be used from other branches than {MAIN}")
    return wrong


def of_main(repository: Repository) -> list[str]:
    """Return what is wrong with the rules for main; nothing if only reviewed changes reach it.

    Without them whoever may write pushes to main, and what they pushed is there when the next
    reviewed change is deployed, or in its merge commit.
    """
    rules = list(_rules(repository))
    if not rules:
        return [
            f"{MAIN}: changes without a pull request (make a ruleset; GitHub offers them in public "
            "repositories, and in private ones of a paid plan)"
        ]
    wrong = []
    if not any(rule.get("required_approving_review_count") for rule in rules):
        wrong.append(f"{MAIN}: a pull request is merged without an approval")
    if not any(rule.get("require_last_push_approval") for rule in rules):
        wrong.append(f"{MAIN}: who pushed last may approve it")
    return wrong


def _rules(repository: Repository) -> Iterator[Mapping[str, Any]]:
    """Yield the parameters of the active rules by which main changes by pull request only."""
    try:
        for rule in repository.pages(f"rules/branches/{MAIN}"):
            if rule["type"] == "pull_request":
                yield rule.get("parameters") or {}
    except GitHubRefused as error:
        if error.status not in NOT_OFFERED:
            raise


def _branches(
    repository: Repository, environment: str, found: Mapping[str, Any]
) -> list[str] | None:
    """Return the branches that may use an environment; None for any, or any protected one."""
    policy = found.get("deployment_branch_policy") or {}
    if not policy.get("custom_branch_policies"):
        return None
    path = f"environments/{environment}/deployment-branch-policies"
    return [str(branch["name"]) for branch in repository.ask("GET", path)["branch_policies"]]
