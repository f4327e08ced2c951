# Nothing is let in from outside: the hub's load balancer brings its own group.

resource "aws_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Nodes of the cluster"
  vpc_id      = aws_vpc.this.id

  tags = {
    Name                     = "${var.name}-nodes"
    "karpenter.sh/discovery" = var.name
  }
}

resource "aws_vpc_security_group_ingress_rule" "nodes_among_themselves" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Nodes and pods among themselves"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "nodes_anywhere" {
  security_group_id = aws_security_group.nodes.id
  description       = "Images, packages, data"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_security_group" "homes" {
  name        = "${var.name}-homes"
  description = "The file system that holds homes"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-homes" }
}

resource "aws_vpc_security_group_ingress_rule" "homes_from_nodes" {
  security_group_id            = aws_security_group.homes.id
  description                  = "NFS from nodes"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
}
