output "role_arns" {
  description = "Role of each workload and add-on, by name."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "addon_identities" {
  description = "For each add-on that acts in AWS: its role and the service account of its pods."
  value = {
    for name, addon in local.addons : name => {
      role_arn        = aws_iam_role.this[name].arn
      service_account = addon.service_account
    }
  }

  # An add-on's pods fail until its role may do its work.
  depends_on = [aws_iam_role_policy_attachment.addon]
}

output "service_accounts" {
  description = "Service accounts that the charts must use, by workload."
  value = {
    for name, workload in local.workloads : name => {
      namespace = workload.namespace
      name      = workload.service_account
    }
  }
}

output "scratch_prefixes" {
  description = "Where in the scratch bucket a user's server may write; POD is the pod's name."
  value       = { own = "users/POD/", shared = "shared/" }
}

output "secrets_prefix" {
  description = "Names of the secrets that a deploy reads start with this."
  value       = "${var.name}/hub/"
}
