# Values that only the root knows are checked here; the others where they mean something, in the modules.

variable "project" {
  type        = string
  description = "What this is part of: the first half of every name, and a cost tag."
  default     = "pangeo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and dashes, starting with a letter: it becomes part of bucket names."
  }
}

variable "environment" {
  type        = string
  description = "Which deployment of the project: the second half of every name, and a cost tag."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment must be 2 to 12 lower-case letters and digits, starting with a letter."
  }
}

variable "region" {
  type        = string
  description = "Where everything lives. The default is the region of Pangeo's and NCAR's public data sets."
  default     = "us-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, such as us-west-2."
  }
}

variable "account_id" {
  type        = string
  description = "The account this may be applied to; any other is refused before planning. null: no check."
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

# Network

variable "vpc_cidr" {
  type        = string
  description = "The VPC's addresses, /16 to /20."
  default     = "10.0.0.0/16"
}

variable "zones" {
  type = map(object({
    public_cidr  = string
    private_cidr = string
  }))
  description = "Two or three availability zones, each with its subnets. Pods take addresses from the subnet their node is in."
  default = {
    us-west-2a = { public_cidr = "10.0.0.0/20", private_cidr = "10.0.64.0/19" }
    us-west-2b = { public_cidr = "10.0.16.0/20", private_cidr = "10.0.96.0/19" }
  }
}

variable "nat" {
  type        = string
  description = "How private subnets reach the internet: none (nodes live in public subnets, closed by their security group), single, or per_zone. A NAT gateway costs about as much as a small node, and by the gigabyte."
  default     = "none"
}

variable "interface_endpoints" {
  type        = set(string)
  description = "AWS services reached without the internet, each at a price per zone and hour. The one for S3 is a gateway, free, and always there."
  default     = []
}

# Storage

variable "homes_zone" {
  type        = string
  description = "Keep homes in this one zone, at half the price and without its failure covered. null: in all zones."
  default     = null
}

variable "homes_backup" {
  type        = bool
  description = "Back homes up daily with AWS Backup (billed by the gigabyte)."
  default     = false
}

variable "homes_idle_days" {
  type        = number
  description = "Days after which a file that nobody opened moves to infrequent access, an order of magnitude cheaper to keep."
  default     = 30
}

variable "scratch_days" {
  type        = number
  description = "Days after which an object in the scratch bucket is deleted."
  default     = 7
}

variable "bills_days" {
  type        = number
  description = "Days for which exported bills are kept."
  default     = 730
}

variable "bills_are_removable" {
  type        = bool
  description = "Whether destroying the deployment may delete the exported bills with it."
  default     = false
}
