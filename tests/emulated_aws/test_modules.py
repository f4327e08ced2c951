"""Terraform projects that are not ours: routes in a table, what comes with a VPC, queues."""

from collections.abc import Callable
from typing import Any

from .conftest import Rehearsal, flat

Start = Callable[[str], Rehearsal]

NETWORK = """
resource "aws_vpc" "this" { cidr_block = "10.1.0.0/16" }
resource "aws_internet_gateway" "this" { vpc_id = aws_vpc.this.id }
resource "aws_internet_gateway" "other" {}
resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
  dynamic "route" {
    for_each = %s
    content {
      cidr_block = route.value
      gateway_id = aws_internet_gateway.this.id
    }
  }
}
resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
  tags = { Name = "main" }
}
resource "aws_default_network_acl" "this" {
  default_network_acl_id = aws_vpc.this.default_network_acl_id
  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    from_port  = 443
    to_port    = %d
    cidr_block = "0.0.0.0/0"
  }
  egress {
    rule_no         = 101
    action          = "allow"
    protocol        = "-1"
    from_port       = 0
    to_port         = 0
    ipv6_cidr_block = "::/0"
  }
}
"""


def routes(rehearsal: Rehearsal, table: str) -> set[str]:
    found = rehearsal.account.client("ec2").describe_route_tables(RouteTableIds=[table])
    return {route["DestinationCidrBlock"] for route in found["RouteTables"][0]["Routes"]}


def rules(rehearsal: Rehearsal, acl: str) -> list[tuple[Any, ...]]:
    found = rehearsal.account.client("ec2").describe_network_acls(NetworkAclIds=[acl])
    entries = found["NetworkAcls"][0]["Entries"]
    return sorted(
        (one["Egress"], one["RuleNumber"], one["Protocol"], one.get("PortRange", {}).get("To"))
        for one in entries
        if one["RuleNumber"] < 32767
    )


def test_routes_in_tables_and_rules_in_the_acl(small: Start) -> None:
    rehearsal = small(NETWORK % ('["0.0.0.0/0", "8.8.8.0/24"]', 443))
    rehearsal.apply()
    assert rehearsal.plan() == {}
    state = rehearsal.state()
    table, main = (state[f"aws_{name}.this"]["id"] for name in ("route_table", "vpc"))
    main = state["aws_vpc.this"]["default_route_table_id"]
    acl = state["aws_vpc.this"]["default_network_acl_id"]
    assert routes(rehearsal, table) == {"10.1.0.0/16", "0.0.0.0/0", "8.8.8.0/24"}
    assert routes(rehearsal, main) == {"10.1.0.0/16", "0.0.0.0/0"}
    assert rules(rehearsal, acl) == [(False, 100, "6", 443), (True, 101, "-1", None)]

    rehearsal.hcl(NETWORK % ('["8.8.4.0/24"]', 444))
    changes = rehearsal.plan()
    assert changes == {
        "aws_route_table.this": "update",
        "aws_default_network_acl.this": "update",
    }
    rehearsal.apply()
    assert rehearsal.plan() == {}
    assert routes(rehearsal, table) == {"10.1.0.0/16", "8.8.4.0/24"}
    assert rules(rehearsal, acl)[0] == (False, 100, "6", 444)

    ec2 = rehearsal.account.client("ec2")
    ec2.create_route(
        RouteTableId=table,
        DestinationCidrBlock="9.9.9.0/24",
        GatewayId=state["aws_internet_gateway.this"]["id"],
    )
    assert rehearsal.plan() == {"aws_route_table.this": "update"}
    rehearsal.apply()
    assert routes(rehearsal, table) == {"10.1.0.0/16", "8.8.4.0/24"}
    rehearsal.destroy()


QUEUES = """
resource "aws_sqs_queue" "dead" { name = "dead" }
resource "aws_sqs_queue" "jobs" { name = "jobs" }
resource "aws_sqs_queue_redrive_policy" "jobs" {
  queue_url = aws_sqs_queue.jobs.id
  redrive_policy = jsonencode({
    maxReceiveCount     = %d
    deadLetterTargetArn = aws_sqs_queue.dead.arn
  })
}
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.jobs.arn]
  })
}
"""


def test_documents_of_a_queue_are_resources_of_their_own(small: Start) -> None:
    rehearsal = small(QUEUES % 4)
    rehearsal.apply()
    assert rehearsal.plan() == {}
    rehearsal.hcl(QUEUES % 5)
    assert rehearsal.plan() == {"aws_sqs_queue_redrive_policy.jobs": "update"}
    rehearsal.apply()
    assert rehearsal.plan() == {}
    rehearsal.destroy()
    assert rehearsal.account.client("sqs").list_queues().get("QueueUrls", []) == []


BEFORE = """
module "jobs" {
  source = "./queues"
  names  = ["a", "b"]
}
resource "aws_sqs_queue" "old" { name = "old" }
resource "aws_sqs_queue" "leaving" { name = "leaving" }
"""
AFTER = """
module "jobs" {
  source = "./queues"
  names  = ["a", "b"]
}
resource "aws_sqs_queue" "new" { name = "old" }
moved {
  from = aws_sqs_queue.old
  to   = aws_sqs_queue.new
}
removed {
  from = aws_sqs_queue.leaving
  lifecycle { destroy = false }
}
import {
  to = aws_sqs_queue.found
  id = "https://sqs.us-west-2.amazonaws.com/123456789012/found"
}
resource "aws_sqs_queue" "found" {
  name = "found"
  tags = { by = "hand" }
}
check "the_name_stays" {
  assert {
    condition     = aws_sqs_queue.new.name == "new"
    error_message = "still called ${aws_sqs_queue.new.name}"
  }
}
"""
MODULE = """
variable "names" { type = set(string) }
resource "aws_sqs_queue" "this" {
  for_each = var.names
  name     = "jobs-${each.key}"
}
output "urls" { value = [for queue in aws_sqs_queue.this : queue.url] }
"""
TEST = """
run "two_queues" {
  command = apply
  assert {
    condition     = length(module.jobs.urls) == 2
    error_message = "not two"
  }
}
"""


def test_what_terraform_itself_does_with_a_project(small: Start) -> None:
    folder = (rehearsal := small("")).terraform.folder
    for name, text in (("queues/main.tf", MODULE), ("tests/jobs.tftest.hcl", TEST)):
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    rehearsal.hcl(BEFORE)
    rehearsal.terraform.read("init", "-input=false")
    sqs = rehearsal.account.client("sqs")
    assert "1 passed, 0 failed" in flat(rehearsal.terraform.read("test"))
    assert not sqs.list_queues().get("QueueUrls")

    rehearsal.apply()
    sqs.create_queue(
        QueueName="found",
        Attributes={"MaximumMessageSize": "262144"},  # the provider's default, not AWS's
        tags={"project": "test", "by": "hand"},
    )
    rehearsal.hcl(AFTER)
    assert rehearsal.plan() == {"aws_sqs_queue.leaving": "forget"}
    shown = rehearsal.shown_plan()
    checks = {one["address"]["to_display"]: one["status"] for one in shown["checks"]}
    assert checks["check.the_name_stays"] == "fail"
    rehearsal.apply()
    assert rehearsal.plan() == {}
    assert "aws_sqs_queue.leaving" not in rehearsal.state()
    assert {"aws_sqs_queue.new", "aws_sqs_queue.found"} <= rehearsal.state().keys()
    rehearsal.destroy()
    assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["leaving"]
