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

output "scratch_bucket" {
  description = "The bucket for intermediate results, which expire."
  value       = module.storage.scratch_bucket
}

output "bills_bucket" {
  description = "The bucket that AWS writes the bill to."
  value       = module.storage.bills_bucket
}
