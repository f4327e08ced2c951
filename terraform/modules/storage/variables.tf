variable "name" {
  type        = string
  description = "The deployment's name, which everything here starts with."
}

variable "zones" {
  type        = set(string)
  description = "The deployment's zones. By name and not by subnet: the data must not depend on the network, or it could not outlive it."
}

variable "subnet_ids" {
  type        = map(string)
  description = "The subnets that nodes run in, by zone: homes are mounted from there."
}

variable "security_group_id" {
  type        = string
  description = "The security group of the homes' mount targets."
}

variable "homes_zone" {
  type        = string
  description = "Keep homes in this one zone. null: in all zones."
  default     = null
}

variable "homes_backup" {
  type        = bool
  description = "Back homes up daily with AWS Backup."
  default     = false
}

variable "homes_idle_days" {
  type        = number
  description = "Days after which a file that nobody opened moves to infrequent access."
  default     = 30

  validation {
    condition     = contains([1, 7, 14, 30, 60, 90, 180, 270, 365], var.homes_idle_days)
    error_message = "homes_idle_days must be one of the ages EFS knows: 1, 7, 14, 30, 60, 90, 180, 270, 365."
  }
}

variable "scratch_days" {
  type        = number
  description = "Days after which an object in the scratch bucket is deleted."
  default     = 7

  validation {
    condition     = var.scratch_days >= 1 && floor(var.scratch_days) == var.scratch_days
    error_message = "scratch_days must be a whole number of days, 1 or more."
  }
}

variable "bills_days" {
  type        = number
  description = "Days for which exported bills are kept."
  default     = 730

  validation {
    condition     = var.bills_days >= 62 && floor(var.bills_days) == var.bills_days
    error_message = "bills_days must be a whole number of days, 62 or more: AWS still rewrites last month's bill."
  }
}

variable "bills_are_removable" {
  type        = bool
  description = "Whether destroying the deployment may delete the exported bills with it."
  default     = false
}

variable "homes_owner" {
  type        = object({ uid = number, gid = number })
  description = "The user and group that servers run as, who own every home."
  default     = { uid = 1000, gid = 100 }
}
