"""Topics and their subscriptions."""

from emulated_aws.named_checks import named
from emulated_aws.resources.base import (
    Api,
    Resource,
    State,
    as_json,
    changed,
    given_name,
    retagging,
    tags_as_list,
    tags_as_map,
)
from emulated_aws.resources.sqs import as_text

TOPIC = {
    "delivery_policy": "DeliveryPolicy",
    "display_name": "DisplayName",
    "kms_master_key_id": "KmsMasterKeyId",
    "policy": "Policy",
}


def create_topic(api: Api, new: State) -> State:
    """Create a topic."""
    asked = {option: new[name] for name, option in TOPIC.items() if new[name]}
    tags = tags_as_list(new["tags_all"])
    answer = api.call("sns", "create_topic", Name=given_name(new), Attributes=asked, Tags=tags)
    return {"id": answer["TopicArn"], "arn": answer["TopicArn"]}


def settle_topic(api: Api, old: State, new: State) -> None:
    """Update the attributes that can change."""
    for name, option in TOPIC.items():
        if old and changed(old, new, name):
            set_topic(api, new["id"], option, new[name] or "")


def set_topic(api: Api, topic: str, option: str, value: str) -> None:
    """Set one attribute of a topic."""
    asked = {"TopicArn": topic, "AttributeName": option, "AttributeValue": value}
    api.call("sns", "set_topic_attributes", **asked)


def read_topic(api: Api, state: State) -> State:
    """Read a topic."""
    found = api.call("sns", "get_topic_attributes", TopicArn=state["id"])["Attributes"]
    tags = api.call("sns", "list_tags_for_resource", ResourceArn=state["id"])["Tags"]
    return {
        **{name: found.get(option, "") for name, option in TOPIC.items()},
        "arn": found["TopicArn"],
        "beginning_archive_time": "",
        "content_based_deduplication": found.get("ContentBasedDeduplication", False),
        "fifo_throughput_scope": "",
        "fifo_topic": found.get("FifoTopic", False),
        "name": state["id"].rsplit(":", 1)[1],
        "name_prefix": state.get("name_prefix") or "",
        "owner": found["Owner"],
        "signature_version": 0,
        "tags_all": tags_as_map(tags),
        "tracing_config": "",
    }


def put_topic_policy(api: Api, state: State) -> str:
    """Set a topic's policy."""
    set_topic(api, state["arn"], "Policy", state["policy"])
    return str(state["arn"])


def read_topic_policy(api: Api, state: State) -> State:
    """Read a topic's policy."""
    found = api.call("sns", "get_topic_attributes", TopicArn=state["id"])["Attributes"]
    return {"arn": found["TopicArn"], "owner": found["Owner"], "policy": found["Policy"]}


def drop_topic_policy(api: Api, state: State) -> None:
    """Restore the policy of a new topic, which allows its own account only."""
    actions = (
        *("AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
        *("Publish", "RemovePermission", "SetTopicAttributes", "Subscribe"),
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": state["id"],
        "Condition": {"StringEquals": {"AWS:SourceOwner": api.account_id}},
    }
    policy = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    set_topic(api, state["id"], "Policy", as_json(policy))


SUBSCRIPTION = {
    "delivery_policy": "DeliveryPolicy",
    "filter_policy": "FilterPolicy",
    "filter_policy_scope": "FilterPolicyScope",
    "raw_message_delivery": "RawMessageDelivery",
    "redrive_policy": "RedrivePolicy",
    "replay_policy": "ReplayPolicy",
    "subscription_role_arn": "SubscriptionRoleArn",
}


def create_subscription(api: Api, new: State) -> State:
    """Create a subscription; a recipient of mail still has to confirm it."""
    asked = {option: as_text(new[name]) for name, option in SUBSCRIPTION.items() if new[name]}
    answer = api.call(
        "sns",
        "subscribe",
        TopicArn=new["topic_arn"],
        Protocol=new["protocol"],
        Endpoint=new["endpoint"],
        Attributes=asked,
        ReturnSubscriptionArn=True,
    )
    return {"id": answer["SubscriptionArn"], "arn": answer["SubscriptionArn"]}


def settle_subscription(api: Api, old: State, new: State) -> None:
    """Update the attributes that can change."""
    for name, option in SUBSCRIPTION.items():
        if old and changed(old, new, name):
            value = "" if new[name] is None else as_text(new[name])
            asked = {"SubscriptionArn": new["id"], "AttributeName": option, "AttributeValue": value}
            api.call("sns", "set_subscription_attributes", **asked)


def read_subscription(api: Api, state: State) -> State:
    """Read a subscription."""
    answer = api.call("sns", "get_subscription_attributes", SubscriptionArn=state["id"])
    found = answer["Attributes"]
    by_mail = found["Protocol"] in ("email", "email-json")
    return {
        **{name: found.get(option, "") for name, option in SUBSCRIPTION.items()},
        "arn": found["SubscriptionArn"],
        "confirmation_was_authenticated": not by_mail,
        "endpoint": found["Endpoint"],
        "owner_id": found["Owner"],
        "pending_confirmation": by_mail,
        "protocol": found["Protocol"],
        "raw_message_delivery": found.get("RawMessageDelivery", False),
        "topic_arn": found["TopicArn"],
    }


RESOURCES = {
    "aws_sns_topic": Resource(
        # In the provider's source, a function that customizes the plan.
        checks={
            "name": named(r"^[\w-]{1,256}$|^[\w-]{1,251}\.fifo$", 1, 256, "invalid topic name")
        },
        create=create_topic,
        settle=settle_topic,
        read=read_topic,
        delete=lambda api, state: api.call("sns", "delete_topic", TopicArn=state["id"]),
        retag=retagging("sns", "ResourceArn"),
        documents=frozenset({"policy", "delivery_policy"}),
    ),
    "aws_sns_topic_policy": Resource(
        create=put_topic_policy,
        settle=lambda api, old, new: old and put_topic_policy(api, new),
        read=read_topic_policy,
        delete=drop_topic_policy,
        documents=frozenset({"policy"}),
    ),
    "aws_sns_topic_subscription": Resource(
        create=create_subscription,
        settle=settle_subscription,
        read=read_subscription,
        delete=lambda api, state: api.call("sns", "unsubscribe", SubscriptionArn=state["id"]),
        documents=frozenset({"delivery_policy", "filter_policy", "redrive_policy"}),
    ),
}
