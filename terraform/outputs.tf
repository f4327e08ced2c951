output "name" {
  description = "The deployment's name, which everything in it starts with."
  value       = local.name
}

output "region" {
  description = "Where the deployment lives."
  value       = var.region
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}

output "node_subnet_ids" {
  description = "Where nodes run, by availability zone."
  value       = module.network.node_subnet_ids
}

output "homes_file_system_id" {
  description = "The file system that holds homes."
  value       = module.storage.homes_file_system_id
}

output "homes_volume" {
  description = "What a PersistentVolume of homes names: the file system and its access point."
  value       = module.storage.homes_volume
}

output "tags" {
  description = "The tags of everything in the deployment; what controllers in the cluster make in AWS must carry them too."
  value       = local.tags
}

output "scratch_bucket" {
  description = "The bucket for intermediate results, which expire."
  value       = module.storage.scratch_bucket
}

output "bills_bucket" {
  description = "The bucket that AWS writes the bill to."
  value       = module.storage.bills_bucket
}

output "cluster" {
  description = "How to reach Kubernetes, and until when its version is supported at the standard price."
  value = {
    name                    = module.cluster.name
    endpoint                = module.cluster.endpoint
    version                 = module.cluster.kubernetes_version
    end_of_standard_support = module.cluster.end_of_standard_support
  }
}

output "core_zone" {
  description = "The zone of the core nodes and their volumes."
  value       = local.core_zone
}

output "homes_zone" {
  description = "The zone that users' nodes must be in, null if any."
  value       = var.homes_zone
}

output "karpenter" {
  description = "What the support chart gives Karpenter."
  value       = module.nodes.karpenter
}

output "service_accounts" {
  description = "Kubernetes service accounts that have a role in AWS, by workload."
  value       = module.identity.service_accounts
}

output "scratch_prefixes" {
  description = "Where in the scratch bucket a user's server may write; POD is the pod's name."
  value       = module.identity.scratch_prefixes
}

output "secrets_prefix" {
  description = "Names of the secrets that a deploy reads start with this."
  value       = module.identity.secrets_prefix
}

output "user_repositories" {
  description = "Addresses of the user images, by image."
  value       = module.registry.user_repositories
}

output "binder_prefix" {
  description = "What BinderHub puts before the names of its images."
  value       = module.registry.binder_prefix
}

output "bill_location" {
  description = "Where AWS writes the bill, for `pangeo-deploy cost ingest`."
  value       = module.cost.bill_location
}

output "alerts_topic" {
  description = "Where the support chart's Alertmanager sends what it is told."
  value       = module.cost.alerts_topic
}

output "monthly_budget_usd" {
  description = "What the deployment may cost a month, in USD."
  value       = var.monthly_budget_usd
}
