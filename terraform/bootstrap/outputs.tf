output "backends" {
  description = "Content of terraform/environments/ENV.s3.tfbackend, by environment."
  value = {
    for name in var.environments : name => <<-EOT
      bucket       = "${local.state_bucket}"
      key          = "${name}/terraform.tfstate"
      region       = "${var.region}"
      encrypt      = true
      use_lockfile = true
    EOT
  }
}

output "own_backend" {
  description = "Content of this root's own backend.tf, once the bucket exists."
  value       = <<-EOT
    terraform {
      backend "s3" {
        bucket       = "${local.state_bucket}"
        key          = "bootstrap/terraform.tfstate"
        region       = "${var.region}"
        encrypt      = true
        use_lockfile = true
      }
    }
  EOT
}

output "roles" {
  description = "Names of the roles that workflows assume, and the subjects that may."
  value       = { for name, subjects in local.roles : "${var.project}-${name}" => subjects }
}

output "trust_policies" {
  description = "Trust policy of each role, as JSON."
  value       = { for name, document in data.aws_iam_policy_document.trust : "${var.project}-${name}" => document.json }
}

output "permissions_boundary" {
  description = "Name of the policy that every role of a deployment must carry: the variable permissions_boundary of the environments."
  value       = aws_iam_policy.workload_boundary.name
}

output "plan_permissions" {
  description = "What the plan role may do, as JSON."
  value       = data.aws_iam_policy_document.plan.json
}

output "permissions" {
  description = "What each apply role may do: its policies as JSON, by environment."
  value = {
    for name in var.environments : name => [data.aws_iam_policy_document.apply[name].json, data.aws_iam_policy_document.limits[name].json]
  }
}

output "boundary" {
  description = "The most that an apply role can do, as JSON."
  value       = data.aws_iam_policy_document.deployer_boundary.json
}
