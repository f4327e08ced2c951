"""The inventory against Terraform's own reading of the same code."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from pangeo_core.errors import BadInput
from pangeo_deploy.terraform import inventory, inventory_diagram, services
from pangeo_deploy.terraform.engine import Terraform
from proof_book.figures import diagram


@pytest.fixture(scope="module")
def whole(hcl: Path) -> inventory.Inventory:
    return inventory.read(hcl, taggable={"aws_eks_cluster"}, kept={"aws_eks_addon"})


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.tf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_rows_say_what_a_block_is(whole: inventory.Inventory) -> None:
    rows = {(row["module"], row["type"], row["name"]): row for row in whole.rows()}
    cluster = rows["cluster", "aws_eks_cluster", "this"]
    assert (cluster["service"], cluster["repeated"]) == ("EKS", "")
    assert (cluster["taggable"], cluster["emulated"]) == (True, True)
    addon = rows["cluster", "aws_eks_addon", "node"]
    assert (addon["repeated"], addon["taggable"], addon["emulated"]) == ("for_each", False, False)
    assert whole.modules == (
        "cluster", "cost", "identity", "network", "nodes", "registry", "storage",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "service"),
    [
        ("aws_ec2_tag", "EC2"),
        ("aws_ecr_repository", "ECR"),
        ("aws_cloudwatch_log_group", "CloudWatch Logs"),
        ("aws_cloudwatch_event_rule", "EventBridge"),
        ("aws_subnet", "VPC"),
    ],
)
def test_services_go_by_the_longest_prefix(type_: str, service: str) -> None:
    assert services.service(type_) == service


@pytest.mark.slow
def test_it_declares_what_terraform_reads(
    whole: inventory.Inventory, planned: Callable[[str], dict[str, Any]]
) -> None:
    def declared(module: dict[str, Any], path: str) -> set[tuple[str, str, str]]:
        found = {
            (path or "root", one["type"], one["name"])
            for one in module.get("resources", ())
            if one["mode"] == "managed"
        }
        for name, call in module.get("module_calls", {}).items():
            found |= declared(call["module"], f"{path}.{name}".strip("."))
        return found

    shown = planned("staging")
    mine = {one.address: one for one in whole.resources}
    assert {(one.module, one.type, one.name) for one in whole.resources} == declared(
        shown["configuration"]["root_module"], ""
    )
    words = {int: "count", str: "for_each", type(None): ""}
    for change in shown["resource_changes"]:
        address = change["address"].removesuffix(f"[{json.dumps(change.get('index'))}]")
        if change["mode"] == "managed":
            assert mine[address].repeated == words[type(change.get("index"))], address


@pytest.mark.slow
def test_its_references_are_those_of_terraforms_graph(
    whole: inventory.Inventory, rooted: Callable[[str], Terraform]
) -> None:
    edges = set(re.findall(r'"(\S+)" -> "(\S+)"', rooted(".").read("graph")))
    addresses = {one.address for one in whole.resources}

    def ways(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return who leads to whom at last; Terraform leaves out what a longer way says too."""
        steps: dict[str, set[str]] = {}
        for one, other in pairs:
            steps.setdefault(one, set()).add(other)
        found = set()
        for start in addresses:
            seen: set[str] = set()
            waiting = [start]
            while waiting:
                waiting += (new := steps.get(waiting.pop(), set()) - seen)
                seen |= new
            found |= {(start, end) for end in seen if end in addresses}
        return found

    mine = ways(set(whole.references))
    terraforms = ways(edges)
    assert mine - terraforms == set()
    assert terraforms - mine == set()


def test_references_go_through_locals_variables_outputs_and_data(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        main="""
          locals { key = aws_kms_key.k.arn }
          resource "aws_kms_key" "k" {}
          module "m" {
            source = "./m"
            key    = local.key
          }
          resource "aws_sqs_queue" "q" { policy = module.m.policy }
          resource "aws_sns_topic" "t" { depends_on = [module.m] }
        """,
        m__main="""
          variable "key" {}
          resource "aws_s3_bucket" "b" { bucket = "literal aws_kms_key.k" }
          data "aws_iam_policy_document" "d" {
            statement { resources = [aws_s3_bucket.b.arn, var.key] }
          }
          resource "aws_sns_topic" "n" { kms_master_key_id = var.key }
          output "policy" { value = data.aws_iam_policy_document.d.json }
        """,
    )
    found = set(inventory.read(root, (), ()).references)
    assert found == {
        ("aws_sqs_queue.q", "module.m.aws_s3_bucket.b"),
        ("aws_sqs_queue.q", "aws_kms_key.k"),
        ("aws_sns_topic.t", "module.m.aws_s3_bucket.b"),
        ("aws_sns_topic.t", "module.m.aws_sns_topic.n"),
        ("module.m.aws_sns_topic.n", "aws_kms_key.k"),
    }


def test_a_file_that_is_not_hcl_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"broken\.tf"):
        inventory.read(write(tmp_path, broken='resource "aws_vpc" {'), (), ())


def test_layers_put_each_after_what_it_refers_to(whole: inventory.Inventory) -> None:
    drawing = inventory_diagram.modules(whole)
    layer = {
        name: number
        for number, names in enumerate(diagram.layers(drawing.boxes, drawing.arrows))
        for name in names
    }
    assert layer.keys() == drawing.boxes.keys()
    assert layer["network"] < layer["cluster"] < layer["nodes"]
    for one, other in drawing.arrows:
        mutual = (other, one) in drawing.arrows
        assert layer[one] == layer[other] if mutual else layer[one] > layer[other]


@pytest.mark.parametrize("module", [None, "nodes"])
def test_the_drawing_shows_every_box_and_is_the_same_twice(
    whole: inventory.Inventory, module: str | None
) -> None:
    drawing = (
        inventory_diagram.resources(whole, module) if module else inventory_diagram.modules(whole)
    )
    svgs = []
    for _ in range(2):
        with mpl.rc_context({"svg.hashsalt": "x", "svg.fonttype": "none"}):
            figure = Figure(figsize=drawing.size())
            diagram.draw(figure.subplots(), drawing)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            svgs.append(buffer.getvalue())
    assert svgs[0] == svgs[1]
    shown = [line for box in drawing.boxes.values() for line in (*box.titles, *box.texts)]
    assert all(line in svgs[0] for line in shown)
