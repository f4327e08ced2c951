output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "node_subnet_ids" {
  description = "The subnets that nodes run in, by zone: public ones without NAT, private ones with it."
  value       = { for zone, subnet in(var.nat == "none" ? aws_subnet.public : aws_subnet.private) : zone => subnet.id }

  # A node that cannot reach the internet never joins, and one that loses it is not drained: the way
  # out is there before the first node, and stays until the last is gone.
  depends_on = [
    aws_route.internet,
    aws_route.nat,
    aws_route_table_association.private,
    aws_route_table_association.public,
    aws_vpc_endpoint.s3,
  ]
}

output "public_subnet_ids" {
  description = "The subnets that face the internet, by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "nodes_security_group_id" {
  description = "The nodes' security group."
  value       = aws_security_group.nodes.id
}

output "homes_security_group_id" {
  description = "The homes' security group: nodes get in."
  value       = aws_security_group.homes.id
}
