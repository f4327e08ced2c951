# A Pangeo hub on AWS. Terraform manages AWS and nothing inside the cluster: that is Helm's.

locals {
  name = "${var.project}-${var.environment}"
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  # On everything that can carry tags: what the bill is grouped by, and what `sweep` looks for.
  default_tags {
    tags = {
      project     = var.project
      environment = var.environment
      deployment  = local.name
      managed-by  = "terraform"
    }
  }
}

module "network" {
  source = "./modules/network"

  name                = local.name
  vpc_cidr            = var.vpc_cidr
  zones               = var.zones
  nat                 = var.nat
  interface_endpoints = var.interface_endpoints
}

module "storage" {
  source = "./modules/storage"

  name                = local.name
  zones               = keys(var.zones)
  subnet_ids          = module.network.node_subnet_ids
  security_group_id   = module.network.homes_security_group_id
  homes_zone          = var.homes_zone
  homes_backup        = var.homes_backup
  homes_idle_days     = var.homes_idle_days
  scratch_days        = var.scratch_days
  bills_days          = var.bills_days
  bills_are_removable = var.bills_are_removable
}
