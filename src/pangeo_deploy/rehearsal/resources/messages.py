"""Queues, topics, and the rules that send events to them."""

from typing import Any

from botocore.exceptions import ClientError

from pangeo_deploy.rehearsal.resources.base import (
    Api,
    Resource,
    State,
    arn,
    as_json,
    between,
    changed,
    document,
    first,
    given_name,
    one_of,
    retagging,
    tags_as_list,
    tags_as_map,
    unique_name,
)

# Queues

QUEUE = {
    "content_based_deduplication": "ContentBasedDeduplication",
    "deduplication_scope": "DeduplicationScope",
    "delay_seconds": "DelaySeconds",
    "fifo_queue": "FifoQueue",
    "fifo_throughput_limit": "FifoThroughputLimit",
    "kms_data_key_reuse_period_seconds": "KmsDataKeyReusePeriodSeconds",
    "kms_master_key_id": "KmsMasterKeyId",
    "max_message_size": "MaximumMessageSize",
    "message_retention_seconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
    "redrive_allow_policy": "RedriveAllowPolicy",
    "redrive_policy": "RedrivePolicy",
    "sqs_managed_sse_enabled": "SqsManagedSseEnabled",
    "visibility_timeout_seconds": "VisibilityTimeout",
}
QUEUE_UNSET = {
    "content_based_deduplication": False,
    "fifo_queue": False,
    "kms_data_key_reuse_period_seconds": 300,
}


def as_text(value: Any) -> str:
    """Return an attribute of a queue as the API wants it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def create_queue(api: Api, new: State) -> str:
    """Make a queue."""
    name = given_name(new)
    asked = {
        option: as_text(new[attribute])
        for attribute, option in QUEUE.items()
        if new.get(attribute) not in (None, "", False)
    }
    api.call("sqs", "create_queue", QueueName=name, Attributes=asked, tags=new["tags_all"] or None)
    # Its own address would name the port of this moment; this is AWS's form of it.
    return f"https://sqs.{api.region}.{api.dns_suffix}/{api.account_id}/{name}"


def settle_queue(api: Api, old: State, new: State) -> None:
    """Change what may change."""
    asked = {
        option: "" if new.get(attribute) is None else as_text(new[attribute])
        for attribute, option in QUEUE.items()
        if old and changed(old, new, attribute)
    }
    if asked:
        api.call("sqs", "set_queue_attributes", QueueUrl=new["id"], Attributes=asked)


def read_queue(api: Api, state: State) -> State:
    """Read a queue."""
    queue = {"QueueUrl": state["id"]}
    found = api.call("sqs", "get_queue_attributes", **queue, AttributeNames=["All"])["Attributes"]
    shown = {name: found.get(option, QUEUE_UNSET.get(name, "")) for name, option in QUEUE.items()}
    return {
        **shown,
        "arn": found["QueueArn"],
        "name": state["id"].rsplit("/", 1)[1],
        "name_prefix": state.get("name_prefix") or "",
        "sqs_managed_sse_enabled": found.get("SqsManagedSseEnabled", False),
        "tags_all": api.call("sqs", "list_queue_tags", **queue).get("Tags", {}),
        "url": state["id"],
    }


def put_queue_policy(api: Api, state: State, policy: str) -> str:
    """Set who may do what with a queue."""
    url = state["queue_url"]
    api.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})
    return str(url)


def read_queue_policy(api: Api, state: State) -> State | None:
    """Read who may do what with a queue."""
    asked = {"QueueUrl": state["id"], "AttributeNames": ["Policy"]}
    policy = api.call("sqs", "get_queue_attributes", **asked).get("Attributes", {}).get("Policy")
    return {"queue_url": state["id"], "policy": policy} if policy else None


# Topics

TOPIC = {
    "delivery_policy": "DeliveryPolicy",
    "display_name": "DisplayName",
    "kms_master_key_id": "KmsMasterKeyId",
    "policy": "Policy",
}


def create_topic(api: Api, new: State) -> State:
    """Make a topic."""
    asked = {option: new[name] for name, option in TOPIC.items() if new[name]}
    tags = tags_as_list(new["tags_all"])
    answer = api.call("sns", "create_topic", Name=given_name(new), Attributes=asked, Tags=tags)
    return {"id": answer["TopicArn"], "arn": answer["TopicArn"]}


def settle_topic(api: Api, old: State, new: State) -> None:
    """Change what may change."""
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
    """Set who may do what with a topic."""
    set_topic(api, state["arn"], "Policy", state["policy"])
    return str(state["arn"])


def read_topic_policy(api: Api, state: State) -> State:
    """Read who may do what with a topic."""
    found = api.call("sns", "get_topic_attributes", TopicArn=state["id"])["Attributes"]
    return {"arn": found["TopicArn"], "owner": found["Owner"], "policy": found["Policy"]}


def drop_topic_policy(api: Api, state: State) -> None:
    """Go back to the policy that AWS gives a new topic: for its own account only."""
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
    """Subscribe; who gets mail still has to agree to it."""
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
    """Change what may change."""
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


# Rules

BUS = "default"


def put_rule(api: Api, new: State, name: str) -> str:
    """Make a rule, or replace it."""
    asked = api.parameters("events", "put_rule", new)
    answer = api.call("events", "put_rule", **{**asked, "Name": name})
    return str(answer["RuleArn"])


def create_rule(api: Api, new: State) -> str:
    """Make a rule with its tags."""
    name = given_name(new)
    put_rule(api, new, name)
    if new["tags_all"]:
        where = rule_path(new["event_bus_name"], name)
        tags = tags_as_list(new["tags_all"])
        api.call("events", "tag_resource", ResourceARN=api.arn("events", where), Tags=tags)
    return name if new["event_bus_name"] == BUS else f"{new['event_bus_name']}/{name}"


def rule_path(bus: str, name: str) -> str:
    """Return how an ARN names a rule."""
    return f"rule/{name}" if bus == BUS else f"rule/{bus}/{name}"


def read_rule(api: Api, state: State) -> State:
    """Read a rule."""
    bus, _, name = state["id"].rpartition("/")
    asked = {"Name": name, "EventBusName": bus or BUS}
    found = api.call("events", "describe_rule", **asked)
    tags = api.call("events", "list_tags_for_resource", ResourceARN=found["Arn"])["Tags"]
    return {
        "arn": found["Arn"],
        "description": found.get("Description", ""),
        "event_bus_name": bus or BUS,
        "event_pattern": found.get("EventPattern", ""),
        "is_enabled": found["State"] != "DISABLED",
        "name": name,
        "name_prefix": state.get("name_prefix") or "",
        "role_arn": found.get("RoleArn", ""),
        "schedule_expression": found.get("ScheduleExpression", ""),
        "state": found["State"],
        "tags_all": tags_as_map(tags),
    }


def plan_rule(api: Api, prior: State | None, planned: State) -> None:
    """Let the older way to switch a rule off say what the newer one says."""
    if prior and planned["is_enabled"] is None:
        planned["is_enabled"] = planned["state"] != "DISABLED"


def put_target(api: Api, new: State, target: str) -> str:
    """Have a rule send what it sees somewhere, or somewhere else."""
    asked = {"Id": target, "Arn": new["arn"]}
    names = {"input": "Input", "input_path": "InputPath", "role_arn": "RoleArn"}
    asked |= {option: new[name] for name, option in names.items() if new[name]}
    bus, rule = new["event_bus_name"], new["rule"]
    answer = api.call("events", "put_targets", Rule=rule, EventBusName=bus, Targets=[asked])
    if answer.get("FailedEntryCount"):
        raise ClientError({"Error": answer["FailedEntries"][0]}, "PutTargets")
    return f"{rule}-{target}" if bus == BUS else f"{bus}-{rule}-{target}"


def read_target(api: Api, state: State) -> State | None:
    """Find the target among its rule's."""
    asked = {"Rule": state["rule"], "EventBusName": state["event_bus_name"]}
    targets = api.call("events", "list_targets_by_rule", **asked)["Targets"]
    found = first(one for one in targets if one["Id"] == state["target_id"])
    if not found:
        return None
    return {
        "rule": state["rule"],
        "event_bus_name": state["event_bus_name"],
        "target_id": found["Id"],
        "arn": found["Arn"],
        "input": found.get("Input", ""),
        "input_path": found.get("InputPath", ""),
        "role_arn": found.get("RoleArn", ""),
    }


def create_target(api: Api, new: State) -> State:
    """Make a target, drawing an id where none is given."""
    target = new["target_id"] or unique_name("terraform-")
    return {"id": put_target(api, new, target), "target_id": target}


RESOURCES = {
    "aws_sqs_queue": Resource(
        create=create_queue,
        settle=settle_queue,
        read=read_queue,
        delete=lambda api, state: api.call("sqs", "delete_queue", QueueUrl=state["id"]),
        retag=retagging("sqs", "QueueUrl", "id", tag="tag_queue", untag="untag_queue", form=dict),
        immutable=frozenset({"name", "name_prefix", "fifo_queue"}),
        # hashicorp/aws, internal/service/sqs/consts.go.
        defaults={
            "content_based_deduplication": False,
            "delay_seconds": 0,
            "fifo_queue": False,
            "max_message_size": 262144,
            "message_retention_seconds": 345600,
            "receive_wait_time_seconds": 0,
            "visibility_timeout_seconds": 30,
        },
        documents=frozenset({"policy", "redrive_policy", "redrive_allow_policy"}),
        checks={
            "delay_seconds": between(0, 900),
            "max_message_size": between(1024, 1048576),
            "message_retention_seconds": between(60, 1209600),
            "policy": document,
            "receive_wait_time_seconds": between(0, 20),
            "visibility_timeout_seconds": between(0, 43200),
        },
    ),
    "aws_sqs_queue_policy": Resource(
        create=lambda api, new: put_queue_policy(api, new, new["policy"]),
        settle=lambda api, old, new: old and put_queue_policy(api, new, new["policy"]),
        read=read_queue_policy,
        delete=lambda api, state: put_queue_policy(api, state, ""),
        immutable=frozenset({"queue_url"}),
        documents=frozenset({"policy"}),
        checks={"policy": document},
    ),
    "aws_sns_topic": Resource(
        create=create_topic,
        settle=settle_topic,
        read=read_topic,
        delete=lambda api, state: api.call("sns", "delete_topic", TopicArn=state["id"]),
        retag=retagging("sns", "ResourceArn"),
        immutable=frozenset({"name", "name_prefix", "fifo_topic"}),
        defaults={"content_based_deduplication": False, "fifo_topic": False},
        documents=frozenset({"policy", "delivery_policy"}),
        checks={"policy": document, "delivery_policy": document},
    ),
    "aws_sns_topic_policy": Resource(
        create=put_topic_policy,
        settle=lambda api, old, new: old and put_topic_policy(api, new),
        read=read_topic_policy,
        delete=drop_topic_policy,
        immutable=frozenset({"arn"}),
        documents=frozenset({"policy"}),
        checks={"arn": arn, "policy": document},
    ),
    "aws_sns_topic_subscription": Resource(
        create=create_subscription,
        settle=settle_subscription,
        read=read_subscription,
        delete=lambda api, state: api.call("sns", "unsubscribe", SubscriptionArn=state["id"]),
        immutable=frozenset({"endpoint", "protocol", "topic_arn"}),
        defaults={
            "confirmation_timeout_in_minutes": 1,
            "endpoint_auto_confirms": False,
            "raw_message_delivery": False,
        },
        documents=frozenset({"delivery_policy", "filter_policy", "redrive_policy"}),
        checks={
            "topic_arn": arn,
            "protocol": one_of(
                *("application", "email", "email-json", "firehose", "http", "https"),
                *("lambda", "sms", "sqs"),
            ),
        },
    ),
    "aws_cloudwatch_event_rule": Resource(
        create=create_rule,
        settle=lambda api, old, new: old and put_rule(api, new, new["name"]),
        read=read_rule,
        plan=plan_rule,
        delete=lambda api, state: api.call(
            "events", "delete_rule", Name=state["name"], EventBusName=state["event_bus_name"]
        ),
        retag=retagging("events", "ResourceARN"),
        immutable=frozenset({"event_bus_name", "name", "name_prefix"}),
        defaults={"event_bus_name": BUS, "force_destroy": False, "state": "ENABLED"},
        documents=frozenset({"event_pattern"}),
        checks={
            "event_pattern": document,
            "state": one_of("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"),
        },
    ),
    "aws_cloudwatch_event_target": Resource(
        create=create_target,
        settle=lambda api, old, new: old and put_target(api, new, new["target_id"]),
        read=read_target,
        delete=lambda api, state: api.call(
            "events",
            "remove_targets",
            Rule=state["rule"],
            EventBusName=state["event_bus_name"],
            Ids=[state["target_id"]],
        ),
        immutable=frozenset({"event_bus_name", "rule", "target_id"}),
        defaults={"event_bus_name": BUS, "force_destroy": False},
        checks={"arn": arn},
    ),
}
