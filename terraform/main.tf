# A Pangeo hub on AWS. Terraform manages AWS and nothing inside the cluster: that is Helm's.

locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # On everything that can carry tags: what the bill is grouped by, and what `sweep` looks for.
  tags = {
    project     = var.project
    environment = var.environment
    deployment  = local.name
    managed-by  = "terraform"
  }

  # Core nodes stay in one zone, the homes' if those are in one: their volumes cannot follow them.
  core_zone = coalesce(var.core_zone, var.homes_zone, sort(keys(var.zones))[0])

  permissions_boundary = (
    var.permissions_boundary == null
    ? null
    : "arn:${local.partition}:iam::${local.account_id}:policy/${var.permissions_boundary}"
  )
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = local.tags
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

module "cluster" {
  source = "./modules/cluster"

  name                 = local.name
  kubernetes_version   = var.kubernetes_version
  subnet_ids           = values(module.network.node_subnet_ids)
  api_public_cidrs     = var.api_public_cidrs
  admin_role_arns      = [for role in var.cluster_admin_roles : "arn:${local.partition}:iam::${local.account_id}:role/${role}"]
  addon_versions       = var.addon_versions
  addon_identities     = module.identity.addon_identities
  log_types            = var.log_types
  log_retention_days   = var.log_retention_days
  deletion_protection  = var.deletion_protection
  permissions_boundary = local.permissions_boundary
}

module "nodes" {
  source = "./modules/nodes"

  name                      = local.name
  cluster_name              = module.cluster.name
  cluster_security_group_id = module.cluster.security_group_id
  cluster_addons            = module.cluster.node_addons
  nodes_security_group_id   = module.network.nodes_security_group_id
  kubernetes_version        = var.kubernetes_version
  subnet_ids                = [for zone, subnet in module.network.node_subnet_ids : subnet if zone == local.core_zone]
  core_instance_type        = var.core_instance_type
  core_nodes                = var.core_nodes
  core_disk_gb              = var.core_disk_gb
  addon_versions            = var.addon_versions
  addon_identities          = module.identity.addon_identities
  permissions_boundary      = local.permissions_boundary
  tags                      = local.tags
  core_ami_release          = var.core_ami_release
  karpenter_service_account = { namespace = var.support_namespace, name = "karpenter" }
}

module "registry" {
  source = "./modules/registry"

  name                 = local.name
  user_images          = var.user_images
  user_images_kept     = var.user_images_kept
  binder_image_days    = var.binder_image_days
  permissions_boundary = local.permissions_boundary
  tags                 = local.tags
}

module "identity" {
  source = "./modules/identity"

  name                    = local.name
  cluster_name            = module.cluster.name
  hub_namespace           = var.hub_namespace
  support_namespace       = var.support_namespace
  scratch_bucket_arn      = module.storage.bucket_arns["scratch"]
  bill_bucket_arn         = module.storage.bucket_arns["bills"]
  binder_repositories_arn = module.registry.binder_repositories_arn
  alerts_topic_arn        = module.cost.alerts_topic
  permissions_boundary    = local.permissions_boundary
}

module "cost" {
  source = "./modules/cost"

  name                  = local.name
  monthly_budget_usd    = var.monthly_budget_usd
  budget_scope          = var.budget_scope
  budget_alerts_percent = var.budget_alerts_percent
  alert_emails          = var.alert_emails
  anomaly_usd           = var.anomaly_usd
  activate_cost_tags    = var.activate_cost_tags
  activate_eks_tags     = var.activate_eks_tags
  bill_bucket           = module.storage.bills_bucket
  bill_bucket_region    = var.region
}
