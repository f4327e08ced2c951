# Nodes that give no credentials to pods, and a Karpenter that owns only what it launches.

provider "aws" {
  region = "us-west-2"
}

variables {
  name                      = "pangeo-test"
  cluster_name              = "pangeo-test"
  cluster_security_group_id = "sg-0123456789abcdef0"
  nodes_security_group_id   = "sg-0123456789abcdef1"
  cluster_addons            = ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"]
  kubernetes_version        = "1.36"
  subnet_ids                = ["subnet-0123456789abcdef0"]
  tags                      = { deployment = "pangeo-test" }
  karpenter_service_account = { namespace = "support", name = "karpenter" }
}

run "smallest" {
  command = plan

  module {
    source = "./modules/nodes"
  }

  assert {
    condition     = aws_eks_node_group.core.scaling_config[0].desired_size == 1 && aws_eks_node_group.core.instance_types == tolist(["t3a.large"]) && aws_eks_node_group.core.capacity_type == "ON_DEMAND"
    error_message = "Without a choice: one small node, never spot, since the hub is on it."
  }

  assert {
    condition     = aws_eks_node_group.core.labels == tomap({ "hub.jupyter.org/node-purpose" = "core", "pangeo.io/pool" = "core" })
    error_message = "The charts' core pods select nodes by pangeo.io/pool."
  }

  assert {
    condition     = aws_eks_pod_identity_association.karpenter.namespace == "support"
    error_message = "Karpenter gets its role where the support chart installs it."
  }

  assert {
    condition     = aws_launch_template.core.metadata_options[0].http_tokens == "required" && aws_launch_template.core.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "A pod could take the node's credentials."
  }

  assert {
    condition     = aws_launch_template.core.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.core.block_device_mappings[0].ebs[0].volume_type == "gp3"
    error_message = "The disk is encrypted, and of the cheaper kind."
  }

  assert {
    condition     = alltrue([for one in aws_launch_template.core.tag_specifications : one.tags["deployment"] == "pangeo-test"])
    error_message = "What EKS launches carries the deployment's tags."
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.interruption) == ["health", "rebalance", "spot", "state-change"]
    error_message = "Karpenter hears of every kind of interruption."
  }

  assert {
    condition     = aws_eks_access_entry.karpenter.type == "EC2_LINUX"
    error_message = "Karpenter's nodes could not join."
  }
}

run "refuses_nodes_without_network" {
  command = plan

  module {
    source = "./modules/nodes"
  }

  variables {
    cluster_addons = ["kube-proxy"]
  }

  expect_failures = [aws_eks_node_group.core]
}

run "refuses_wrong_values" {
  command = plan

  module {
    source = "./modules/nodes"
  }

  variables {
    core_nodes         = 0
    core_instance_type = "t3a.nano"
    core_disk_gb       = 8
    core_ami_release   = "latest"
  }

  expect_failures = [
    var.core_ami_release,
    var.core_nodes,
    var.core_instance_type,
    var.core_disk_gb,
  ]
}

run "refuses_another_architecture" {
  command = plan

  module {
    source = "./modules/nodes"
  }

  variables {
    core_instance_type = "m7g.large"
  }

  expect_failures = [var.core_instance_type]
}

run "takes_types_that_only_look_like_it" {
  command = plan

  module {
    source = "./modules/nodes"
  }

  variables {
    core_instance_type = "g4dn.xlarge"
  }

  assert {
    condition     = aws_eks_node_group.core.instance_types == tolist(["g4dn.xlarge"])
    error_message = "The letter before the number says nothing of the architecture."
  }
}
