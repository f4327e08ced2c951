"""What must be refused is refused with the right status, and no secret reaches a log."""

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from hub_user import cells
from hub_user.cells import with_values
from hub_user.kernel import CellFailed
from hub_user.user import HubRefused, User, log_in
from local_hub import hub_state, hub_status
from tests.local_hub.conftest import Rig


def status_of(action: Callable[[], object]) -> int:
    with pytest.raises(HubRefused) as refused:
        action()
    return refused.value.status


@pytest.mark.parametrize(
    "name",
    ["../ann", "ann bob", "änn", "a" * 300, "ann/../bob", "*", "${aws:username}", "-ann", ""],
)
def test_names_outside_the_alphabet_are_refused(rig: Rig, name: str) -> None:
    password = hub_state.password(rig.state.secrets["login"], name)
    assert status_of(lambda: log_in(rig.url, name, password)) in (400, 403, 404)
    assert name not in [one["name"] for one in everyone(rig)]


def everyone(rig: Rig) -> list[dict[str, str]]:
    token = {"Authorization": f"token {rig.state.secrets['janitor']}"}
    return list(requests.get(f"{rig.url}/hub/api/users", headers=token, timeout=10).json())


def test_who_is_not_on_the_list_is_refused_with_the_right_password(rig: Rig) -> None:
    password = hub_status.password(rig.place, "mallory")
    assert status_of(lambda: log_in(rig.url, "mallory", password)) == 403


def test_another_persons_password_is_refused(rig: Rig) -> None:
    password = hub_status.password(rig.place, "bob")
    assert status_of(lambda: log_in(rig.url, "ann", password)) == 403


@pytest.mark.parametrize("path", ["/hub/api/user", "/hub/api/users/ann", "/hub/metrics"])
def test_a_wrong_token_is_refused(rig: Rig, path: str) -> None:
    assert status_of(lambda: User(rig.url, "ann", "0" * 32).ask("GET", path)) == 403


def test_an_expired_token_is_refused(rig: Rig) -> None:
    user = rig.user("ann", seconds=1)
    assert user.whoami()["name"] == "ann"
    time.sleep(1.5)
    assert status_of(user.whoami) == 403


def test_a_user_reaches_nothing_of_another(rig: Rig, ann: User) -> None:
    bob = rig.user("bob")
    anns = ann.origin("/user/ann/")
    assert anns != rig.url  # a subdomain of her own
    asked = {
        "profile": lambda: bob.ask("GET", "/hub/api/users/ann"),
        "tokens": lambda: bob.ask("GET", "/hub/api/users/ann/tokens"),
        "a token": lambda: bob.ask("POST", "/hub/api/users/ann/tokens", json={}),
        "stop": lambda: bob.ask("DELETE", "/hub/api/users/ann/server"),
        "start": lambda: bob.ask("POST", "/hub/api/users/ann/server"),
        "list": lambda: bob.ask("GET", "/hub/api/users"),
        "metrics": lambda: bob.ask("GET", "/hub/metrics"),
        "kernels": lambda: bob.ask("GET", f"{anns}/user/ann/api/kernels"),
        "files": lambda: bob.ask("GET", f"{anns}/user/ann/api/contents"),
        "terminal": lambda: bob.ask("POST", f"{anns}/user/ann/api/terminals"),
    }
    statuses = {what: status_of(action) for what, action in asked.items()}
    assert set(statuses.values()) <= {403, 404}, statuses
    assert ann.whoami()["servers"]


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "huge"},
        {"mem_limit": "1T"},
        {"profile": "small", "cmd": ["sh"]},
        {"profile": 7},
    ],
)
def test_options_beyond_the_profiles_are_refused(rig: Rig, options: dict[str, object]) -> None:
    user = rig.user("bob")
    with pytest.raises(HubRefused, match=r"did not start|400") as refused:
        user.start_server(options)
    assert "no" in refused.value.why
    assert not user.whoami()["servers"]


def test_a_server_cannot_allocate_beyond_its_memory(ann: User) -> None:
    with ann.kernel() as kernel:
        limit = kernel.result("import os, json; print(json.dumps(int(os.environ['MEM_LIMIT'])))")
        kernel.run(f"import mmap; mmap.mmap(-1, {limit // 4}, mmap.MAP_PRIVATE).close()")
        with pytest.raises(CellFailed, match=r"OSError|MemoryError"):
            kernel.run(f"import mmap; mmap.mmap(-1, {limit + 2**20}, mmap.MAP_PRIVATE)")


def test_credentials_reach_the_own_prefix_only(ann: User) -> None:
    with ann.kernel() as kernel:
        seen = kernel.result(with_values(cells.SCRATCH, other="users/jupyter-bob"))
        assert set(seen["refused"].values()) == {"AccessDenied"}
        copied = kernel.result(COPY)
        assert copied == {"to other": "AccessDenied", "from other": "AccessDenied"}


COPY = """
import json
tried = {}
bobs = "users/jupyter-bob/a"
ways = {"to other": (f"{prefix}/a", bobs), "from other": (bobs, f"{prefix}/b")}
for what, (source, to) in ways.items():
    s3.put_object(Bucket=bucket, Key=f"{prefix}/a", Body=b"x")
    try:
        s3.copy_object(Bucket=bucket, Key=to, CopySource=f"{bucket}/{source}")
        tried[what] = "allowed"
    except ClientError as error:
        tried[what] = error.response["Error"]["Code"]
print(json.dumps(tried))
"""


def test_credentials_have_no_other_way_to_anothers_space(rig: Rig) -> None:
    """What the SDK offers beside reading and writing objects, tried with a server's credentials."""
    given = rig.user("ann").ask("GET", "/services/identity/credentials").json()
    session = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["Token"], region_name="us-west-2"
    )
    storage = rig.state.url("storage")
    s3, sts, iam = (session.client(one, endpoint_url=storage) for one in ("s3", "sts", "iam"))
    mine, bobs = "users/jupyter-ann/x", "users/jupyter-bob/x"
    where = {"Bucket": hub_state.BUCKET}
    s3.put_object(**where, Key=mine, Body=b"1")

    def copied_in_parts() -> Any:
        upload = s3.create_multipart_upload(**where, Key=mine)["UploadId"]
        source = {**where, "Key": bobs}
        return s3.upload_part_copy(
            **where, Key=mine, UploadId=upload, PartNumber=1, CopySource=source
        )

    role = f"arn:aws:iam::123456789012:role/{hub_state.ROLE}"
    tried: dict[str, Callable[[], Any]] = {
        "a name like hers": lambda: s3.put_object(**where, Key="users/jupyter-annx/x", Body=b"1"),
        "another spelling": lambda: s3.put_object(**where, Key="users//jupyter-ann/x", Body=b"1"),
        "dots": lambda: (
            s3.put_object(**where, Key="users/jupyter-ann/../jupyter-bob/x", Body=b"1")["ETag"]
            and s3.get_object(**where, Key=bobs)
        ),
        "delete many": lambda: s3.delete_objects(**where, Delete={"Objects": [{"Key": bobs}]})[
            "Deleted"
        ],
        "copy in parts": copied_in_parts,
        "list everybody": lambda: s3.list_objects_v2(**where, Prefix="users/"),
        "list versions": lambda: s3.list_object_versions(**where),
        "open the bucket": lambda: s3.put_bucket_policy(**where, Policy="{}"),
        "delete the bucket": lambda: s3.delete_bucket(**where),
        "the role without its limits": lambda: sts.assume_role(RoleArn=role, RoleSessionName="ann"),
        "a user": lambda: iam.create_user(UserName="evil"),
        "keys": lambda: iam.list_access_keys(UserName="identity"),
    }
    refusals = {}
    for what, action in tried.items():
        try:
            action()
            refusals[what] = "allowed"
        except ClientError as error:
            refusals[what] = error.response["Error"]["Code"]
        except KeyError:  # of several objects, each refused by itself
            refusals[what] = "AccessDenied"
    assert set(refusals.values()) == {"AccessDenied"}, refusals
    assert s3.get_object(**where, Key=mine)["Body"].read() == b"1"


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_credentials_need_a_token(rig: Rig, token: str) -> None:
    user = User(rig.url, "ann", token)
    assert status_of(lambda: user.ask("GET", "/services/identity/credentials")) == 403


def test_a_service_is_not_given_a_users_credentials(rig: Rig) -> None:
    service = User(rig.url, "janitor", rig.state.secrets["janitor"])
    assert status_of(lambda: service.ask("GET", "/services/identity/credentials")) == 403


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/reset", "/%6doto-api/"])
def test_the_emulations_own_interface_is_closed(rig: Rig, path: str) -> None:
    forged = {"Authorization": "AWS4-HMAC-SHA256 x"}
    for method in ("GET", "POST"):
        answer = requests.request(
            method, f"{rig.state.url('storage')}{path}", headers=forged, timeout=10
        )
        assert answer.status_code == 403
        assert rig.state.secrets["storage"] not in answer.text


CLUSTERS = "/services/dask-gateway/api/v1/clusters/"


def gateway(user: User, method: str, path: str = "", **options: Any) -> Any:
    answer = user.ask(method, f"{CLUSTERS}{path}", scheme="jupyterhub", **options)
    return answer.json() if answer.content else None


def test_a_token_without_the_right_does_not_open_the_gateway(rig: Rig) -> None:
    user = rig.user("ann")
    body = {"scopes": ["read:users!user"], "expires_in": 60}
    poor = user.ask("POST", "/hub/api/users/ann/tokens", json=body).json()["token"]
    assert status_of(lambda: gateway(User(rig.url, "ann", poor), "GET")) in (401, 403)
    assert gateway(user, "GET") == {}


@pytest.mark.parametrize(
    "options",
    [
        {"worker_cores": 64},
        {"worker_memory": 1000.0},
        {"worker_cores": 0},
        {"worker_cores": "many"},
        {"image": "evil"},
        {"environment": "not a mapping"},
    ],
)
def test_the_gateway_refuses_options_beyond_limits(rig: Rig, options: dict[str, object]) -> None:
    user = rig.user("ann")
    body = {"cluster_options": options}
    assert status_of(lambda: gateway(user, "POST", json=body)) == 422
    assert gateway(user, "GET") == {}


def test_another_users_cluster_cannot_be_seen_or_ended(rig: Rig) -> None:
    ann, bob = rig.user("ann"), rig.user("bob")
    name = gateway(ann, "POST", json={"cluster_options": {}})["name"]
    try:
        tried = [
            lambda: gateway(bob, "GET", name),
            lambda: gateway(bob, "DELETE", name),
            lambda: gateway(bob, "POST", f"{name}/scale", json={"count": 2}),
        ]
        assert {status_of(action) for action in tried} <= {403, 404}
        assert gateway(bob, "GET") == {}
        assert name in gateway(ann, "GET")
    finally:
        gateway(ann, "DELETE", name)


def test_no_secret_is_in_a_log(rig: Rig, ann: User) -> None:
    with ann.kernel() as kernel:
        given = kernel.result(
            with_values(cells.SCRATCH, other="users/jupyter-bob")
        ) and kernel.result(
            "import json; print(json.dumps([os.environ['JUPYTERHUB_API_TOKEN'],"
            "s3._get_credentials().secret_key, s3._get_credentials().token]))"
        )
    secrets = [*rig.state.secrets.values(), ann.token, *given]
    assert all(len(secret) > 15 for secret in secrets)
    logs = rig.logs()
    assert "ann" in logs
    assert not [secret[:4] for secret in secrets if secret in logs]
    readable = [
        file.name
        for file in rig.folder.glob("*")
        if file.is_file()
        and file.stat().st_mode & 0o077
        and any(secret in file.read_text(errors="replace") for secret in secrets)
    ]
    assert readable == []
