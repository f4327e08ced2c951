# The control plane: closed, in standard support, its secrets encrypted and its logs bounded.

provider "aws" {
  region = "us-west-2"
}

variables {
  name       = "pangeo-test"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "closed_by_default" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Without a choice, nobody outside the VPC may reach the Kubernetes API."
  }

  assert {
    condition     = length(aws_eks_access_entry.admin) == 0 && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Nobody administers the cluster who is not named."
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support would start by itself, at six times the price."
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_kms_key.cluster.enable_key_rotation
    error_message = "Secrets are encrypted with a key that rotates."
  }

  assert {
    condition     = aws_cloudwatch_log_group.control_plane.name == "/aws/eks/pangeo-test/cluster" && aws_cloudwatch_log_group.control_plane.retention_in_days == 30
    error_message = "EKS would make the log group itself, and keep it for ever."
  }

  assert {
    condition     = keys(aws_eks_addon.node) == ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"]
    error_message = "A node needs these to be ready; the others wait for one."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.node["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "Network policies are enforced by nobody unless the network plug-in is told to."
  }
}

run "opens_to_named_addresses" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    api_public_cidrs = ["192.0.2.7/32"]
    admin_role_arns  = ["arn:aws:iam::123456789012:role/pangeo-test-apply"]
    addon_versions   = { vpc-cni = "v1.20.1-eksbuild.1" }
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["192.0.2.7/32"])
    error_message = "Only the named addresses may reach the API."
  }

  assert {
    condition     = length(aws_eks_access_policy_association.admin) == 1
    error_message = "The named role administers the cluster."
  }

  assert {
    condition     = aws_eks_addon.node["vpc-cni"].addon_version == "v1.20.1-eksbuild.1"
    error_message = "A pinned version is the one installed."
  }
}

run "refuses_wrong_values" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    api_public_cidrs   = ["0.0.0.0/0"]
    kubernetes_version = "1.29"
    name               = "Pangeo Test"
    subnet_ids         = ["subnet-0123456789abcdef0"]
    log_retention_days = 31
    log_types          = ["everything"]
    addon_versions     = { vpc-cni = "latest" }
    admin_role_arns    = ["arn:aws:iam::123456789012:user/someone"]
  }

  expect_failures = [
    var.api_public_cidrs,
    var.kubernetes_version,
    var.name,
    var.subnet_ids,
    var.log_retention_days,
    var.log_types,
    var.addon_versions,
    var.admin_role_arns,
  ]
}

run "refuses_what_is_no_network" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    api_public_cidrs = ["my-laptop", "192.0.2.7/24", "2001:db8::/48"]
  }

  expect_failures = [
    var.api_public_cidrs,
  ]
}
