variable "name" {
  type        = string
  description = "Name of the deployment; the cluster's name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name: 3 to 32 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes version of control plane and nodes: one in EKS standard support."
  default     = "1.35"

  validation {
    condition     = contains(keys(local.end_of_standard_support), var.kubernetes_version)
    error_message = "kubernetes_version: EKS supports ${join(", ", keys(local.end_of_standard_support))} at the standard price; add a newer one to modules/cluster/kubernetes_versions.json with its date."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets for the control plane's network interfaces, in at least two zones."

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids: EKS needs subnets in at least two zones."
  }
}

variable "api_public_cidrs" {
  type        = set(string)
  description = "Addresses that may reach the Kubernetes API from outside the VPC. None: only from inside it."
  default     = []

  validation {
    condition     = alltrue([for cidr in var.api_public_cidrs : can(cidrhost(cidr, 0))])
    error_message = "api_public_cidrs: each is a CIDR block, for example 192.0.2.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.api_public_cidrs : try(tonumber(split("/", cidr)[1]) >= 16, true)])
    error_message = "api_public_cidrs: a block wider than /16 is no allow-list. A deploy job opens the API to its own address only, for as long as it runs."
  }

  validation {
    condition     = length(var.api_public_cidrs) <= 40
    error_message = "api_public_cidrs: EKS takes at most 40 blocks."
  }
}

variable "admin_role_arns" {
  type        = set(string)
  description = "IAM roles that administer the cluster: the one that deploys the charts, at least."
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", arn))])
    error_message = "admin_role_arns: each is the ARN of an IAM role."
  }
}

variable "addon_versions" {
  type        = map(string)
  description = "Pinned add-on versions by add-on name. Not named: what AWS installs for this Kubernetes version, kept until it is named."
  default     = {}

  validation {
    condition     = alltrue([for version in values(var.addon_versions) : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", version))])
    error_message = "addon_versions: a version reads v1.2.3-eksbuild.4."
  }
}

variable "addon_identities" {
  type        = map(object({ role_arn = string, service_account = string }))
  description = "The role that an add-on's pods assume through EKS Pod Identity, by add-on name."
  default     = {}
}

variable "log_types" {
  type        = set(string)
  description = "Control-plane logs to keep. audit and authenticator say who did what; each GB costs."
  default     = ["audit", "authenticator"]

  validation {
    condition     = alltrue([for type in var.log_types : contains(["api", "audit", "authenticator", "controllerManager", "scheduler"], type)])
    error_message = "log_types: api, audit, authenticator, controllerManager or scheduler."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Days that control-plane logs are kept."
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "log_retention_days: CloudWatch takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400 here."
  }
}

variable "deletion_protection" {
  type        = bool
  description = "Refuse to delete the cluster until this is false."
  default     = false
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role made here; null for none."
  default     = null
}
