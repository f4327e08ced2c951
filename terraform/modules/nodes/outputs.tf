output "karpenter" {
  description = "What the support chart gives Karpenter: its queue, its nodes' profile, the tag of security group and subnets."
  value = {
    queue            = aws_sqs_queue.interruptions.name
    instance_profile = aws_iam_instance_profile.karpenter.name
    discovery_tag    = aws_ec2_tag.discovery.value
    service_account  = var.karpenter_service_account
  }
}

output "core_node_group" {
  description = "Name of the managed node group that always runs."
  value       = aws_eks_node_group.core.node_group_name
}

output "node_role_arns" {
  description = "Roles of the nodes, by kind."
  value       = { for kind, role in aws_iam_role.node : kind => role.arn }
}
