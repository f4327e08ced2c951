"""Queues."""

from typing import Any

from emulated_aws.named_checks import named
from emulated_aws.resources.base import Api, Resource, State, changed, given_name, retagging

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
    """Return an attribute of a queue in the API's form."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def create_queue(api: Api, new: State) -> str:
    """Create a queue."""
    name = given_name(new)
    asked = {
        option: as_text(new[attribute])
        for attribute, option in QUEUE.items()
        if new.get(attribute) not in (None, "", False)
    }
    api.call("sqs", "create_queue", QueueName=name, Attributes=asked, tags=new["tags_all"] or None)
    # The account's own URL would contain its present port; this is AWS's form.
    return f"https://sqs.{api.region}.{api.dns_suffix}/{api.account_id}/{name}"


def plan_queue(api: Api, prior: State | None, planned: State) -> None:
    """Plan no reuse period of data keys for a new queue that SQS encrypts with its own key."""
    if prior is None and planned["sqs_managed_sse_enabled"] is True:
        planned["kms_data_key_reuse_period_seconds"] = 0


def settle_queue(api: Api, old: State, new: State) -> None:
    """Update the attributes that can change."""
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


def of_queue(attribute: str) -> Resource:
    """Return the resource type of a JSON document that is set on a queue."""
    option = QUEUE[attribute]

    def put(api: Api, state: State, document: str) -> str:
        url, asked = str(state["queue_url"]), {option: document}
        api.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=asked)
        return url

    def read(api: Api, state: State) -> State | None:
        asked = {"QueueUrl": state["id"], "AttributeNames": ["All"]}
        found = api.call("sqs", "get_queue_attributes", **asked).get("Attributes", {}).get(option)
        return {"queue_url": state["id"], attribute: found} if found else None

    return Resource(
        create=lambda api, new: put(api, new, new[attribute]),
        settle=lambda api, old, new: old and put(api, new, new[attribute]),
        read=read,
        delete=lambda api, state: put(api, state, ""),
        documents=frozenset({attribute}),
    )


RESOURCES = {
    "aws_sqs_queue": Resource(
        create=create_queue,
        # In the provider's source, a function that customizes the plan.
        checks={"name": named(r"^[\w-]{1,80}$|^[\w-]{1,75}\.fifo$", 1, 80, "invalid queue name")},
        plan=plan_queue,
        settle=settle_queue,
        read=read_queue,
        delete=lambda api, state: api.call("sqs", "delete_queue", QueueUrl=state["id"]),
        retag=retagging("sqs", "QueueUrl", "id", tag="tag_queue", untag="untag_queue", form=dict),
        # hashicorp/aws, internal/service/sqs/consts.go.
        documents=frozenset({"policy", "redrive_policy", "redrive_allow_policy"}),
    ),
    "aws_sqs_queue_policy": of_queue("policy"),
    "aws_sqs_queue_redrive_allow_policy": of_queue("redrive_allow_policy"),
    "aws_sqs_queue_redrive_policy": of_queue("redrive_policy"),
}
