"""A small project of the same shape as ours: eleven resources, applied in two seconds."""

import os
import shutil
from pathlib import Path

from tests.conftest import PROJECT

HCL = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "environment" { type = string }
variable "project" {
  type    = string
  default = "pangeo"
}
variable "deletion_protection" {
  type    = bool
  default = false
}
variable "dns" {
  type    = bool
  default = true
}

locals { name = "${var.project}-${var.environment}" }

provider "aws" {
  region = "us-west-2"
  default_tags { tags = { deployment = local.name } }
}

module "network" {
  source = "./modules/network"
  dns    = var.dns
}

resource "aws_efs_file_system" "homes" {}
resource "aws_efs_mount_target" "homes" {
  count           = 2
  file_system_id  = aws_efs_file_system.homes.id
  subnet_id       = module.network.subnets[count.index]
  security_groups = [module.network.group]
}
resource "aws_s3_bucket" "scratch" { bucket = "${local.name}-scratch" }
resource "aws_sqs_queue" "this" { name = local.name }

output "name" { value = local.name }
"""
NETWORK = """
variable "dns" { type = bool }
resource "aws_vpc" "this" {
  cidr_block           = "10.1.0.0/16"
  enable_dns_hostnames = var.dns
}
resource "aws_subnet" "this" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.1.${count.index}.0/24"
  availability_zone = ["us-west-2a", "us-west-2b"][count.index]
}
resource "aws_security_group" "this" {
  name   = "group"
  vpc_id = aws_vpc.this.id
}
resource "aws_vpc_security_group_ingress_rule" "this" {
  count             = 2
  security_group_id = aws_security_group.this.id
  cidr_ipv4         = "10.1.${count.index}.0/24"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
output "group" { value = aws_security_group.this.id }
output "subnets" { value = aws_subnet.this[*].id }
"""
RESOURCES = 11


def small_project(folder: Path, variables: str = "") -> Path:
    """Write the project into `folder`, with more `variables` for staging; return the folder."""
    terraform = folder / "terraform"
    (terraform / "environments").mkdir(parents=True)
    (terraform / "modules/network").mkdir(parents=True)
    (terraform / "main.tf").write_text(HCL)
    (terraform / "modules/network/main.tf").write_text(NETWORK)
    (terraform / "environments/staging.tfvars").write_text(f'environment = "staging"\n{variables}')
    (folder / "data").symlink_to(PROJECT / "data")
    return folder


def copied(state: Path, to: Path) -> Path:
    """Return a copy of a whole state folder: another account in which the same was made."""
    shutil.copytree(state, to, symlinks=True)
    return to


def environment(state: Path) -> dict[str, str]:
    """Return the environment of a command with this state folder."""
    return {**os.environ, "PANGEO_DEPLOY_STATE": str(state)}
