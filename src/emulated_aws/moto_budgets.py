"""Operations that moto's Budgets lacks, added to moto while an account is open (`moto_patches`)."""

import json
from collections.abc import Mapping
from typing import Any


def find_budget(response: Any, name: str | None = None) -> Any:
    """Return the budget that a request names."""
    account = response._get_param("AccountId")
    name = name or response._get_param("BudgetName")
    response.backend.describe_budget(account, name)  # raises what AWS raises
    return response.backend.budgets[account][name]


def create_budget(response: Any) -> str:
    """Budgets CreateBudget, with tags."""
    asked = response._get_param
    budget, alerts = asked("Budget"), asked("NotificationsWithSubscribers", [])
    response.backend.create_budget(asked("AccountId"), with_decimals(budget), alerts)
    tags = {tag["Key"]: tag["Value"] for tag in asked("ResourceTags") or ()}
    find_budget(response, budget["BudgetName"])._tags = tags
    return json.dumps({})


def update_budget(response: Any) -> str:
    """Budgets UpdateBudget."""
    asked = with_decimals(response._get_param("NewBudget"))
    found = find_budget(response, asked["BudgetName"])
    period = found.budget["TimePeriod"]
    found.budget = {
        "TimePeriod": period,
        "LastUpdatedTime": found.budget["LastUpdatedTime"],
        **asked,
    }
    return json.dumps({})


def with_decimals(budget: dict[str, Any]) -> dict[str, Any]:
    """Write the limit as AWS does: 250 becomes 250.0."""
    limit = budget.get("BudgetLimit")
    if limit and "." not in limit["Amount"]:
        limit["Amount"] += ".0"
    return budget


def describe_subscribers_for_notification(response: Any) -> str:
    """Budgets DescribeSubscribersForNotification."""
    details = response._get_param("Notification")
    alerts = find_budget(response).notifications
    found: Any = next((one.subscribers for one in alerts if one.details == details), [])
    return json.dumps({"Subscribers": found})


def budget_tags(response: Any) -> dict[str, str]:
    """Return the tags of the budget that an ARN names."""
    _, _, _, _, account, path = response._get_param("ResourceARN").split(":", 5)
    name = path.removeprefix("budget/")
    response.backend.describe_budget(account, name)
    return response.backend.budgets[account][name]._tags  # type: ignore[no-any-return]


def list_budget_tags(response: Any) -> str:
    """Budgets ListTagsForResource."""
    tags = budget_tags(response).items()
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in tags]})


def tag_budget(response: Any) -> str:
    """Budgets TagResource."""
    given = response._get_param("ResourceTags")
    budget_tags(response).update({tag["Key"]: tag["Value"] for tag in given})
    return json.dumps({})


def untag_budget(response: Any) -> str:
    """Budgets UntagResource."""
    for key in response._get_param("ResourceTagKeys"):
        budget_tags(response).pop(key, None)
    return json.dumps({})


ADDITIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("moto.budgets.responses", "BudgetsResponse"): {
        "create_budget": create_budget,
        "update_budget": update_budget,
        "describe_subscribers_for_notification": describe_subscribers_for_notification,
        "list_tags_for_resource": list_budget_tags,
        "tag_resource": tag_budget,
        "untag_resource": untag_budget,
    },
}
