"""Budgets and their alerts."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    given_name,
    retagging,
    tags_as_list,
    tags_as_map,
)

# Budgets live in one region for the whole account.
REGION = "us-east-1"
TIME = "%Y-%m-%d_%H:%M"

COST_TYPES = {
    "include_credit": True,
    "include_discount": True,
    "include_other_subscription": True,
    "include_recurring": True,
    "include_refund": True,
    "include_subscription": True,
    "include_support": True,
    "include_tax": True,
    "include_upfront": True,
    "use_amortized": False,
    "use_blended": False,
}
NOTIFICATION = {
    "comparison_operator": "ComparisonOperator",
    "notification_type": "NotificationType",
    "threshold": "Threshold",
    "threshold_type": "ThresholdType",
}
SUBSCRIBERS = {"subscriber_email_addresses": "EMAIL", "subscriber_sns_topic_arns": "SNS"}


def camel(name: str) -> str:
    """Return an attribute's name as the API writes it."""
    return "".join(word.capitalize() for word in name.split("_"))


def budget(new: State, name: str) -> dict[str, Any]:
    """Return a budget in the API's form."""
    asked: dict[str, Any] = {
        "BudgetName": name,
        "BudgetType": new["budget_type"],
        "TimeUnit": new["time_unit"],
        "BudgetLimit": {"Amount": new["limit_amount"], "Unit": new["limit_unit"]},
        "CostFilters": {one["name"]: one["values"] for one in new["cost_filter"] or ()},
    }
    period = {"Start": new["time_period_start"], "End": new["time_period_end"]}
    given = {
        key: datetime.strptime(at, TIME).replace(tzinfo=UTC) for key, at in period.items() if at
    }
    if "Start" in given:
        asked["TimePeriod"] = given
    for block in new["cost_types"] or ():
        asked["CostTypes"] = {camel(key): block[key] for key in COST_TYPES}
    return asked


def create_budget(api: Api, new: State) -> str:
    """Create a budget and its alerts."""
    name, account = given_name(new), new["account_id"] or api.account_id
    asked = {"AccountId": account, "Budget": budget(new, name)}
    tags = tags_as_list(new["tags_all"])
    api.call("budgets", "create_budget", **asked, ResourceTags=tags)
    alert(api, account, name, new)
    return f"{account}:{name}"


def alert(api: Api, account: str, name: str, new: State) -> None:
    """Add the alerts of a budget."""
    for block in new["notification"]:
        subscribers = [
            {"SubscriptionType": kind, "Address": address}
            for attribute, kind in SUBSCRIBERS.items()
            for address in block[attribute] or ()
        ]
        asked = {"AccountId": account, "BudgetName": name, "Subscribers": subscribers}
        details = {option: block[attribute] for attribute, option in NOTIFICATION.items()}
        api.call("budgets", "create_notification", **asked, Notification=details)


def settle_budget(api: Api, old: State, new: State) -> None:
    """Update a budget and replace its alerts."""
    if not old:
        return
    account, _, name = new["id"].partition(":")
    asked = {"AccountId": account, "NewBudget": budget(new, name)}
    api.call("budgets", "update_budget", **asked)
    where = {"AccountId": account, "BudgetName": name}
    for details in notifications(api, where):
        api.call("budgets", "delete_notification", **where, Notification=details)
    alert(api, account, name, new)


def notifications(api: Api, where: dict[str, str]) -> list[dict[str, Any]]:
    """Return a budget's alerts."""
    answer = api.call("budgets", "describe_notifications_for_budget", **where)
    return answer["Notifications"]  # type: ignore[no-any-return]


def read_budget(api: Api, state: State) -> State:
    """Read a budget and its alerts."""
    account, _, name = state["id"].partition(":")
    where = {"AccountId": account, "BudgetName": name}
    found = api.call("budgets", "describe_budget", **where)["Budget"]
    arn_ = f"arn:{api.partition}:budgets::{account}:budget/{name}"
    period, types = found["TimePeriod"], found.get("CostTypes", {})
    alerts = []
    for details in notifications(api, where):
        answer = api.call(
            "budgets", "describe_subscribers_for_notification", **where, Notification=details
        )
        block = {attribute: details[option] for attribute, option in NOTIFICATION.items()}
        for attribute, kind in SUBSCRIBERS.items():
            block[attribute] = [
                subscriber["Address"]
                for subscriber in answer["Subscribers"]
                if subscriber["SubscriptionType"] == kind
            ]
        alerts.append(block)
    tags = api.call("budgets", "list_tags_for_resource", ResourceARN=arn_)["ResourceTags"]
    return {
        "account_id": account,
        "arn": arn_,
        "budget_type": found["BudgetType"],
        "cost_filter": [
            {"name": key, "values": values} for key, values in found.get("CostFilters", {}).items()
        ],
        "cost_types": [{key: types[camel(key)] for key in COST_TYPES}] if types else [],
        "limit_amount": found["BudgetLimit"]["Amount"],
        "limit_unit": found["BudgetLimit"]["Unit"],
        "name": name,
        "name_prefix": state.get("name_prefix") or "",
        "notification": alerts,
        "tags_all": tags_as_map(tags),
        "time_period_end": period["End"].astimezone(UTC).strftime(TIME),
        "time_period_start": period["Start"].astimezone(UTC).strftime(TIME),
        "time_unit": found["TimeUnit"],
    }


def plan_budget(api: Api, prior: State | None, planned: State) -> None:
    """Treat equal amounts as unchanged: AWS writes 250 as 250.0."""
    if prior and same_amount(prior["limit_amount"], planned["limit_amount"]):
        planned["limit_amount"] = prior["limit_amount"]


def same_amount(one: Any, other: Any) -> bool:
    """Return whether two texts are the same number."""
    try:
        return Decimal(one) == Decimal(other)
    except (InvalidOperation, TypeError, ValueError):
        return False


def delete_budget(api: Api, state: State) -> None:
    """Delete a budget with its alerts."""
    account, _, name = state["id"].partition(":")
    api.call("budgets", "delete_budget", AccountId=account, BudgetName=name)


RESOURCES = {
    "aws_budgets_budget": Resource(
        create=create_budget,
        settle=settle_budget,
        read=read_budget,
        plan=plan_budget,
        delete=delete_budget,
        retag=retagging("budgets", "ResourceARN", tags="ResourceTags", keys="ResourceTagKeys"),
    ),
}
