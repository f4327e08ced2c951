"""What is registered with a Kubernetes cluster: kept by the rehearsal, with no API."""

from emulated_aws.resources.base import Api, State, drawn, drawn_uuid, keeping, moment
from emulated_aws.resources.eks import name
from emulated_aws.resources.validators import arn, document, one_of


def in_cluster(api: Api, new: State) -> State:
    """Return the cluster that something shall be registered with; fails if there is none."""
    answer = api.call("eks", "describe_cluster", name=new["cluster_name"])
    return answer["cluster"]  # type: ignore[no-any-return]


def addon(api: Api, new: State) -> State:
    """Name an add-on. Which version AWS would take is not known here; its label says so."""
    cluster = in_cluster(api, new)["name"]
    drawn_id = drawn_uuid("addon", cluster, new["addon_name"])
    return {
        "id": f"{cluster}:{new['addon_name']}",
        "arn": api.arn("eks", f"addon/{cluster}/{new['addon_name']}/{drawn_id}"),
        "addon_version": new["addon_version"] or "v0.0.0-rehearsal.1",
        "configuration_values": new["configuration_values"] or "",
        "created_at": moment(),
        "modified_at": moment(),
        "namespace_config": new["namespace_config"] or [],
    }


def access_entry(api: Api, new: State) -> State:
    """Name who may enter a cluster, and as whom."""
    cluster, principal = in_cluster(api, new)["name"], new["principal_arn"]
    kind, who = principal.rpartition(":")[2].split("/")[0], principal.rsplit("/", 1)[1]
    drawn_id = drawn_uuid("access-entry", cluster, principal)
    path = f"access-entry/{cluster}/{kind}/{api.account_id}/{who}/{drawn_id}"
    as_node = new["type"].startswith("EC2_")
    assumed = f"arn:{api.partition}:sts::{api.account_id}:assumed-role/{who}/{{{{SessionName}}}}"
    return {
        "id": f"{cluster}:{principal}",
        "access_entry_arn": api.arn("eks", path),
        "created_at": moment(),
        "kubernetes_groups": new["kubernetes_groups"] or (["system:nodes"] if as_node else []),
        "modified_at": moment(),
        "user_name": new["user_name"]
        or ("system:node:{{EC2PrivateDNSName}}" if as_node else assumed),
    }


def access_policy(api: Api, new: State) -> State:
    """Name what somebody may do in a cluster; they must have entry to it."""
    cluster, principal = in_cluster(api, new)["name"], new["principal_arn"]
    return {
        "id": f"{cluster}#{principal}#{new['policy_arn']}",
        "associated_at": moment(),
        "modified_at": moment(),
    }


def pod_identity(api: Api, new: State) -> State:
    """Name the role of a service account."""
    cluster = in_cluster(api, new)["name"]
    identity = f"a-{drawn(17, 'pod-identity', cluster, new['namespace'], new['service_account'])}"
    return {
        "id": identity,
        "association_arn": api.arn("eks", f"podidentityassociation/{cluster}/{identity}"),
        "association_id": identity,
        "disable_session_tags": bool(new["disable_session_tags"]),
    }


RESOURCES = {
    "aws_eks_addon": keeping(
        "aws_eks_addon",
        addon,
        immutable=frozenset({"addon_name", "cluster_name", "namespace_config"}),
        documents=frozenset({"configuration_values"}),
        checks={
            "cluster_name": name,
            "configuration_values": document,
            "pod_identity_association.role_arn": arn,
            "resolve_conflicts_on_create": one_of("NONE", "OVERWRITE"),
            "resolve_conflicts_on_update": one_of("NONE", "OVERWRITE", "PRESERVE"),
            "service_account_role_arn": arn,
        },
    ),
    "aws_eks_access_entry": keeping(
        "aws_eks_access_entry",
        access_entry,
        immutable=frozenset({"cluster_name", "principal_arn", "type"}),
        defaults={"type": "STANDARD"},
        checks={
            "cluster_name": name,
            "principal_arn": arn,
            "type": one_of(
                *("EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "STANDARD")
            ),
        },
    ),
    "aws_eks_access_policy_association": keeping(
        "aws_eks_access_policy_association",
        access_policy,
        immutable=frozenset({"access_scope", "cluster_name", "policy_arn", "principal_arn"}),
        checks={
            "access_scope.type": one_of("cluster", "namespace"),
            "cluster_name": name,
            "policy_arn": arn,
            "principal_arn": arn,
        },
    ),
    "aws_eks_pod_identity_association": keeping(
        "aws_eks_pod_identity_association",
        pod_identity,
        immutable=frozenset({"cluster_name", "namespace", "service_account"}),
        checks={"role_arn": arn},
    ),
}
