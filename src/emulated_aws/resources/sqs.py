"""Queues."""

from typing import Any

from emulated_aws.resources.base import Api, Resource, State, changed, given_name, retagging
from emulated_aws.validation import named

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


def plan_queue(api: Api, prior: State | None, planned: State) -> None:
    """Plan no reuse of keys for a new queue whose key is not one of KMS."""
    if prior is None and planned["sqs_managed_sse_enabled"] is True:
        planned["kms_data_key_reuse_period_seconds"] = 0


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


RESOURCES = {
    "aws_sqs_queue": Resource(
        create=create_queue,
        # In the source a function that customizes the plan.
        checks={"name": named(r"^[\w-]{1,80}$|^[\w-]{1,75}\.fifo$", 1, 80, "invalid queue name")},
        plan=plan_queue,
        settle=settle_queue,
        read=read_queue,
        delete=lambda api, state: api.call("sqs", "delete_queue", QueueUrl=state["id"]),
        retag=retagging("sqs", "QueueUrl", "id", tag="tag_queue", untag="untag_queue", form=dict),
        # hashicorp/aws, internal/service/sqs/consts.go.
        documents=frozenset({"policy", "redrive_policy", "redrive_allow_policy"}),
    ),
    "aws_sqs_queue_policy": Resource(
        create=lambda api, new: put_queue_policy(api, new, new["policy"]),
        settle=lambda api, old, new: old and put_queue_policy(api, new, new["policy"]),
        read=read_queue_policy,
        delete=lambda api, state: put_queue_policy(api, state, ""),
        documents=frozenset({"policy"}),
    ),
}
