import errno
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import backends
from moto.core.base_backend import BackendDict
from moto.moto_api._internal import mock_random
from moto.sqs.models import Queue

from emulated_aws import Account, moto_app, open_account
from emulated_aws.account import making
from pangeo_core.errors import BadInput


def run(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, with the account open as `account`."""
    return subprocess.run(
        [sys.executable, "-c", script(folder, code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def script(folder: Path, code: str) -> str:
    """Return a program that runs `code` with the account open as `account`."""
    return (
        "import os, sys\nfrom pathlib import Path\n"
        "from emulated_aws import open_account\n"
        f"with open_account(Path({str(folder)!r})) as account:\n"
        + "".join(f"    {line}\n" for line in code.splitlines())
    )


def make_vpc(account: Account, cidr: str = "10.0.0.0/16") -> str:
    return account.client("ec2").create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]


def vpcs(account: Account) -> set[str]:
    return {vpc["VpcId"] for vpc in account.client("ec2").describe_vpcs()["Vpcs"]}


def test_account_outlives_its_process(tmp_path: Path) -> None:
    made = run(
        tmp_path, 'print(account.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])'
    )
    assert made.returncode == 0, made.stderr
    with open_account(tmp_path) as account:
        assert made.stdout.strip() in vpcs(account)


def test_nothing_answered_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    code = """
ec2 = account.client("ec2")
for number in range(5):
    print(ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"], flush=True)
account.client("kms").create_key()
account.client("sqs").create_queue(QueueName="queue")
os.kill(os.getpid(), 9)
"""
    killed = run(tmp_path, code)
    assert killed.returncode == -9
    with open_account(tmp_path) as account:
        assert set(killed.stdout.split()) <= vpcs(account)
        assert len(account.client("kms").list_keys()["Keys"]) == 1
        assert len(account.client("sqs").list_queues()["QueueUrls"]) == 1


def test_every_service_that_the_deployment_uses_survives(tmp_path: Path) -> None:
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "eks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    )
    with open_account(tmp_path) as account:
        subnets = account.client("ec2").describe_subnets()["Subnets"]
        role = account.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=trust)[
            "Role"
        ]
        account.client("eks").create_cluster(
            name="hub",
            roleArn=role["Arn"],
            resourcesVpcConfig={"subnetIds": [subnet["SubnetId"] for subnet in subnets]},
        )
        account.client("ecr").create_repository(repositoryName="images")
        account.client("events").put_rule(Name="rule", ScheduleExpression="rate(1 day)")
        account.client("logs").create_log_group(logGroupName="/log")
        account.client("secretsmanager").create_secret(Name="secret", SecretString="x")
        file_system = account.client("efs").create_file_system(CreationToken="homes")[
            "FileSystemId"
        ]
        account.client("efs").create_mount_target(
            FileSystemId=file_system, SubnetId=subnets[0]["SubnetId"]
        )
        account.client("budgets", "us-east-1").create_budget(
            AccountId=account.account_id,
            Budget={
                "BudgetName": "month",
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": "10", "Unit": "USD"},
            },
        )
    with open_account(tmp_path) as account:
        assert account.client("iam").get_role(RoleName="role")["Role"]["Arn"] == role["Arn"]
        assert (
            account.client("eks").describe_cluster(name="hub")["cluster"]["roleArn"] == role["Arn"]
        )
        assert account.client("ecr").describe_repositories()["repositories"]
        assert account.client("events").list_rules()["Rules"]
        assert account.client("logs").describe_log_groups()["logGroups"]
        secret = account.client("secretsmanager").get_secret_value(SecretId="secret")
        assert secret["SecretString"] == "x"
        targets = account.client("efs").describe_mount_targets(FileSystemId=file_system)[
            "MountTargets"
        ]
        interfaces = account.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        assert targets[0]["NetworkInterfaceId"] in {one["NetworkInterfaceId"] for one in interfaces}
        found = account.client("budgets", "us-east-1").describe_budgets(
            AccountId=account.account_id
        )
        assert float(found["Budgets"][0]["BudgetLimit"]["Amount"]) == 10


def test_objects_survive_and_are_written_in_their_own_files(tmp_path: Path) -> None:
    where = {"LocationConstraint": "us-west-2"}
    with open_account(tmp_path) as account:
        s3 = account.client("s3")
        s3.create_bucket(Bucket="data", CreateBucketConfiguration=where)
        for number in range(3):
            s3.put_object(Bucket="data", Key=f"part/{number}", Body=bytes([number]) * 100_000)
        s3.delete_object(Bucket="data", Key="part/0")
    assert len(list((tmp_path / "objects").iterdir())) == 2
    with open_account(tmp_path) as account:
        body = account.client("s3").get_object(Bucket="data", Key="part/2")["Body"].read()
        assert body == bytes([2]) * 100_000


@pytest.mark.parametrize("which", ["account.json", "state/ec2-*.pickle"])
def test_a_file_cut_short_is_refused_and_left_alone(tmp_path: Path, which: str) -> None:
    with open_account(tmp_path) as account:
        make_vpc(account)
    damaged = next(tmp_path.glob(which))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadInput) as refusal, open_account(tmp_path):
        pass
    assert str(damaged) in refusal.value.what
    assert "removes it" in refusal.value.fix
    assert {path: path.read_bytes() for path in before} == before


def test_an_account_of_another_moto_is_refused(tmp_path: Path) -> None:
    with open_account(tmp_path):
        pass
    manifest = tmp_path / "account.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "moto": "1.0"}))
    with pytest.raises(BadInput, match="written with moto 1"), open_account(tmp_path):
        pass


def test_a_second_process_uses_the_first_ones_account(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        other = run(
            tmp_path,
            'made = account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")\n'
            'print(account.endpoint, made["Vpc"]["VpcId"])',
        )
        assert other.returncode == 0, other.stderr
        endpoint, made = other.stdout.split()
        assert endpoint == account.endpoint
        assert made in vpcs(account)
    with open_account(tmp_path) as account:
        assert made in vpcs(account)


def test_a_dead_owner_leaves_no_lock(tmp_path: Path) -> None:
    assert run(tmp_path, "os.kill(os.getpid(), 9)").returncode == -9
    assert (tmp_path / "endpoint.json").exists()  # stale: nobody took it away
    with open_account(tmp_path) as account:
        make_vpc(account)


def test_ids_depend_on_what_is_asked_and_not_on_its_order(tmp_path: Path) -> None:
    cidrs = [f"10.{number}.0.0/16" for number in range(8)]

    def ids(name: str, order: list[str]) -> dict[str, str]:
        found = {}
        with open_account(tmp_path / name) as account:
            threads = [
                threading.Thread(
                    target=lambda cidr=cidr: found.update({cidr: make_vpc(account, cidr)})
                )
                for cidr in order
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found["default"] = account.client("ec2").describe_security_groups()["SecurityGroups"][
                0
            ]["GroupId"]
        return found

    assert ids("one", cidrs) == ids("other", cidrs[::-1])


def test_ids_never_repeat(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        with open_account(tmp_path) as account:
            for _ in range(2):
                made.append(make_vpc(account))
                account.client("ec2").delete_vpc(VpcId=made[-1])
    assert len(set(made)) == 4


def use_two_accounts(folder: Path) -> None:
    """Assert that two accounts do not mix, and leave the process as it was."""
    random, environment = mock_random.getstate(), dict(os.environ)
    with open_account(folder / "one") as account:
        first = make_vpc(account)
    with open_account(folder / "two") as account:
        assert first not in vpcs(account), "the second account has the first one's VPC"
    assert not BackendDict._instances, "moto still holds what an account had"
    assert mock_random.getstate() == random, "moto draws other ids than before"
    assert dict(os.environ) == environment, "the environment was changed"


def test_accounts_in_one_process_do_not_mix_and_nothing_stays_changed(tmp_path: Path) -> None:
    """In a separate process: in this one other tests may have used moto."""
    with ProcessPoolExecutor(1, get_context("spawn")) as another:
        another.submit(use_two_accounts, tmp_path).result()


def test_an_account_that_closes_leaves_nothing_in_moto_while_another_is_open(
    tmp_path: Path,
) -> None:
    with open_account(tmp_path / "open") as still_open:
        kept = make_vpc(still_open)
        with open_account(tmp_path / "closed") as account:
            gone = make_vpc(account)
            inside = backends.get_backend("ec2")[account.account_id][account.region]
            assert gone in inside.vpcs
        after = backends.get_backend("ec2")[account.account_id][account.region]
        assert not {gone, kept} & set(after.vpcs)
        assert kept in vpcs(still_open)


def test_accounts_of_one_process_close_in_any_order(tmp_path: Path) -> None:
    def queues(account: Account) -> list[str]:
        urls = account.client("sqs").list_queues().get("QueueUrls", [])
        return sorted(url.rpartition("/")[2] for url in urls)

    plain = Queue.__dict__["_set_attributes"]
    first, second = ExitStack(), ExitStack()
    one = first.enter_context(open_account(tmp_path / "one"))
    one.client("sqs").create_queue(QueueName="one")
    one.client("s3").create_bucket(
        Bucket="bucket-one", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    one.client("s3").put_object(Bucket="bucket-one", Key="saved-later", Body=b"a")
    two = second.enter_context(open_account(tmp_path / "two"))
    two.client("sqs").create_queue(QueueName="two")
    assert queues(one) == ["one"]
    assert queues(two) == ["two"]
    one.client("sqs").create_queue(QueueName="more")
    assert one.client("s3").head_bucket(Bucket="bucket-one")
    with pytest.raises(ClientError, match="404"):
        two.client("s3").head_bucket(Bucket="bucket-one")
    first.close()
    assert queues(two) == ["two"]
    second.close()
    assert Queue.__dict__["_set_attributes"] is plain
    with open_account(tmp_path / "one") as one:
        assert queues(one) == ["more", "one"]
        assert one.client("s3").list_objects_v2(Bucket="bucket-one")["KeyCount"] == 1
        with open_account(tmp_path / "two") as two:
            assert queues(two) == ["two"]
        assert queues(one) == ["more", "one"]


def test_settings_of_the_machine_cannot_divert_it(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), nowhere)
    asked = run(
        tmp_path,
        'print(account.client("sts").get_caller_identity()["Account"])',
        **proxies,
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL_STS=nowhere,
        AWS_USE_FIPS_ENDPOINT="true",
        AWS_ACCESS_KEY_ID="real",
        AWS_SECRET_ACCESS_KEY="real",
    )
    assert asked.stdout.strip() == "123456789012", asked.stderr


def test_clients_only_know_this_machine(tmp_path: Path) -> None:
    with open_account(tmp_path) as account:
        for service in ("ec2", "s3", "iam", "budgets", "ce"):
            client = account.client(service)
            assert client.meta.endpoint_url == account.endpoint
            assert client._request_signer._credentials.access_key == "rehearsal"


def test_what_cannot_be_saved_is_refused_and_the_saved_state_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_account(tmp_path) as account:
        kept = make_vpc(account)

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("emulated_aws.saved_state.write_whole", full)
            for service, call in (
                ("ec2", lambda client: client.create_vpc(CidrBlock="10.7.0.0/16")),
                ("sqs", lambda client: client.create_queue(QueueName="queue")),
                ("efs", lambda client: client.create_file_system(CreationToken="a")),
            ):
                with pytest.raises(ClientError, match=r"cannot be saved in .*No space left"):
                    call(account.client(service))
        with pytest.raises(ClientError, match="cannot be saved"):
            make_vpc(account, "10.8.0.0/16")
    with open_account(tmp_path) as account:
        cidrs = {vpc["CidrBlock"] for vpc in account.client("ec2").describe_vpcs()["Vpcs"]}
        assert kept in vpcs(account)
        assert not {"10.7.0.0/16", "10.8.0.0/16"} & cidrs
        make_vpc(account, "10.8.0.0/16")


def test_a_request_that_comes_after_the_end_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a provider whose Terraform was killed: nobody waits for it when all is closed."""
    arrived, closed = threading.Event(), threading.Event()
    read_request = moto_app.read_request

    def slow(environ: dict[str, Any]) -> moto_app.Request:
        request = read_request(environ)
        if request.action == "PUT /late":
            arrived.set()
            closed.wait(30)
        return request

    monkeypatch.setattr(moto_app, "read_request", slow)

    def make(client: Any) -> None:
        with making("the bucket"):
            where = {"LocationConstraint": "us-west-2"}
            client.create_bucket(Bucket="late", CreateBucketConfiguration=where)

    with ThreadPoolExecutor() as pool:
        with open_account(tmp_path) as account:
            late = pool.submit(make, account.client("s3"))
            assert arrived.wait(30)
        closed.set()
        with pytest.raises(EndpointConnectionError):
            late.result()
    with open_account(tmp_path) as account:
        assert account.made() == set()
        make(account.client("s3"))
        account.client("s3").head_bucket(Bucket="late")


def test_only_what_the_run_itself_made_is_recorded_with_its_end(tmp_path: Path) -> None:
    """Two environments share an account: the end of one says nothing about what the other made."""
    with open_account(tmp_path) as one, open_account(tmp_path) as other:
        for account, cidr in ((one, "10.1.0.0/16"), (other, "10.2.0.0/16")):
            with making(cidr):
                make_vpc(account, cidr)
        one.all_told()
        assert other.made() == {"10.2.0.0/16"}


SERVING = """
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kill", [False, True])
def test_who_shares_an_account_goes_on_when_its_server_ends(tmp_path: Path, kill: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script(tmp_path, SERVING)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdin
        assert first.stdout
        assert first.stdout.readline() == "ready\n"
        with open_account(tmp_path) as account:
            ours = [make_vpc(account)]
            if kill:
                first.kill()
            else:
                first.stdin.close()
            ours += [make_vpc(account, f"10.{number}.0.0/16") for number in range(1, 8)]
            first.wait(60)
            ours.append(make_vpc(account, "10.9.0.0/16"))
            assert account.made() == set()
            with open_account(tmp_path) as third:
                assert third.endpoint == account.endpoint
                assert vpcs(third) >= set(ours)
    with open_account(tmp_path) as account:
        assert vpcs(account) >= set(ours)


def test_what_was_made_for_a_killed_run_is_given_to_the_next(tmp_path: Path) -> None:
    code = """
from emulated_aws.account import making
with making("the vpc"):
    print(account.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"], flush=True)
os.kill(os.getpid(), 9)
"""
    made = run(tmp_path, code).stdout.strip()
    with open_account(tmp_path) as account:
        with making("the vpc"):
            assert make_vpc(account) == made
            assert make_vpc(account) != made  # asked for twice is meant twice
        with making("another vpc"):
            other = make_vpc(account)
        account.all_told()
        assert other != made
    with open_account(tmp_path) as account, making("the vpc"):
        assert make_vpc(account) not in (made, other)


def test_what_moto_makes_of_lambdas_is_saved(tmp_path: Path) -> None:
    """SSM keeps tags in a dictionary whose factory is a lambda, which pickle refuses."""
    with open_account(tmp_path) as account:
        ssm = account.client("ssm")
        tags = [{"Key": "a", "Value": "b"}]
        ssm.put_parameter(Name="/p", Value="1", Type="String", Tags=tags)
    with open_account(tmp_path) as account:
        ssm = account.client("ssm")
        assert ssm.get_parameter(Name="/p")["Parameter"]["Value"] == "1"
        listed = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/p")
        assert listed["TagList"] == tags
        ssm.put_parameter(Name="/q", Value="2", Type="String", Tags=tags)
