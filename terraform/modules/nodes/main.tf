# The nodes that always run, and what they carry. Karpenter adds the others and takes them away.

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.region

  # What a node's own role may do. Networking, disks and volumes have roles of their own.
  node_policies = ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"]

  # Add-ons that are active only on a node.
  workload_addons = ["aws-ebs-csi-driver", "aws-efs-csi-driver", "coredns"]
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_iam_policy_document" "node_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# Two roles although they may do the same: EKS makes and removes the core group's access entry itself.
resource "aws_iam_role" "node" {
  for_each = toset(["core", "karpenter"])

  name                 = "${var.name}-${each.key}-node"
  description          = "Nodes of ${var.name}: ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.node_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = {
    for pair in setproduct(["core", "karpenter"], local.node_policies) : join("-", pair) => pair
  }

  role       = aws_iam_role.node[each.value[0]].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value[1]}"
}

resource "aws_launch_template" "core" {
  name                   = "${var.name}-core"
  description            = "Core nodes of ${var.name}"
  update_default_version = true

  # EKS adds its own group only where a template names none.
  vpc_security_group_ids = [var.cluster_security_group_id, var.nodes_security_group_id]

  # Hop limit 1: a pod gets no answer, and so not the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.core_disk_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "network-interface", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-core", pool = "core" })
    }
  }
}

resource "aws_eks_node_group" "core" {
  cluster_name    = var.cluster_name
  node_group_name = "core"
  node_role_arn   = aws_iam_role.node["core"].arn
  subnet_ids      = var.subnet_ids
  version         = var.kubernetes_version
  release_version = var.core_ami_release
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = "ON_DEMAND"
  instance_types  = [var.core_instance_type]

  # The charts select nodes by pangeo.io/pool; Karpenter's pools carry the same two labels.
  labels = {
    "hub.jupyter.org/node-purpose" = "core"
    "pangeo.io/pool"               = "core"
  }

  launch_template {
    id      = aws_launch_template.core.id
    version = aws_launch_template.core.latest_version
  }

  scaling_config {
    min_size     = var.core_nodes
    desired_size = var.core_nodes
    max_size     = var.core_nodes
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    precondition {
      condition     = contains(var.cluster_addons, "vpc-cni")
      error_message = "A node is never ready without the add-on vpc-cni."
    }
  }

  depends_on = [aws_iam_role_policy_attachment.node]
}

resource "aws_eks_addon" "workload" {
  for_each = toset(local.workload_addons)

  cluster_name                = aws_eks_node_group.core.cluster_name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # Volumes that the driver makes for pods carry the deployment's tags, so that a sweep finds them.
  configuration_values = each.key == "aws-ebs-csi-driver" ? jsonencode({
    controller = { extraVolumeTags = var.tags }
  }) : null

  dynamic "pod_identity_association" {
    for_each = contains(keys(var.addon_identities), each.key) ? [var.addon_identities[each.key]] : []

    content {
      role_arn        = pod_identity_association.value.role_arn
      service_account = pod_identity_association.value.service_account
    }
  }
}
