output "name" {
  description = "Name of the cluster; known once it exists."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "Address of the Kubernetes API."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate of the Kubernetes API's authority, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "kubernetes_version" {
  description = "Kubernetes version of the control plane."
  value       = aws_eks_cluster.this.version
}

output "end_of_standard_support" {
  description = "Day on which standard support of that version ends, YYYY-MM-DD."
  value       = local.end_of_standard_support[var.kubernetes_version]
}

output "security_group_id" {
  description = "Security group that EKS makes for control plane and nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "node_addons" {
  description = "Add-ons that nodes need before they are ready; wait for them before adding nodes."
  value       = [for addon in aws_eks_addon.node : addon.addon_name]
}
