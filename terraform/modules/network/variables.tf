variable "name" {
  type        = string
  description = "The deployment's name, which everything here starts with."
}

variable "vpc_cidr" {
  type        = string
  description = "The VPC's addresses, /16 to /20."

  validation {
    condition     = try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 network in CIDR notation without host bits, such as 10.0.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, true)
    error_message = "vpc_cidr must be a /16 to a /20: AWS allows no larger, and pods need the addresses."
  }
}

variable "zones" {
  type = map(object({
    public_cidr  = string
    private_cidr = string
  }))
  description = "Two or three availability zones, each with its subnets."

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3
    error_message = "zones must name two or three availability zones: EKS needs two, and a fourth only costs."
  }

  validation {
    condition = alltrue([
      for cidr in flatten([for zone in var.zones : [zone.public_cidr, zone.private_cidr]]) :
      try(cidrsubnet(cidr, 0, 0) == cidr && tonumber(split("/", cidr)[1]) <= 28, false)
    ])
    error_message = "zones: each public_cidr and private_cidr must be an IPv4 network in CIDR notation without host bits, /28 or larger."
  }

  # Inside the VPC: cut to the VPC's length, a subnet's network is the VPC's own.
  validation {
    condition = alltrue([
      for cidr in flatten([for zone in var.zones : [zone.public_cidr, zone.private_cidr]]) :
      try(
        tonumber(split("/", cidr)[1]) > tonumber(split("/", var.vpc_cidr)[1]) &&
        cidrsubnet("${split("/", cidr)[0]}/${split("/", var.vpc_cidr)[1]}", 0, 0) == var.vpc_cidr,
        true
      )
    ])
    error_message = "zones: each public_cidr and private_cidr must lie inside vpc_cidr."
  }

  # Apart from each other: of two networks, cut the longer to the shorter's length and compare.
  validation {
    condition = alltrue(flatten([
      for index, one in flatten([for zone in var.zones : [zone.public_cidr, zone.private_cidr]]) : [
        for other in slice(flatten([for zone in var.zones : [zone.public_cidr, zone.private_cidr]]), 0, index) :
        try(
          cidrsubnet("${split("/", one)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0, 0) !=
          cidrsubnet("${split("/", other)[0]}/${min(split("/", one)[1], split("/", other)[1])}", 0, 0),
          true
        )
      ]
    ]))
    error_message = "zones: no public_cidr or private_cidr may overlap another."
  }
}

variable "nat" {
  type        = string
  description = "How private subnets reach the internet: none, single, or per_zone."
  default     = "none"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat must be none, single or per_zone."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  description = "AWS services reached without the internet, each at a price per zone and hour."
  default     = []

  validation {
    condition = alltrue([for service in var.interface_endpoints : contains([
      "autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticfilesystem",
      "elasticloadbalancing", "logs", "sqs", "ssm", "sts",
    ], service)])
    error_message = "interface_endpoints: only services that the hub calls are known: autoscaling, ec2, ecr.api, ecr.dkr, eks, eks-auth, elasticfilesystem, elasticloadbalancing, logs, sqs, ssm, sts. S3 has its gateway."
  }
}
