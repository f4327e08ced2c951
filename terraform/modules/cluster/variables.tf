variable "name" {
  type        = string
  description = "Name of the deployment; the cluster's name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, starting with a letter."
  }
}

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes version of control plane and nodes: one in EKS standard support."
  default     = "1.36"

  validation {
    condition     = contains(keys(local.end_of_standard_support), var.kubernetes_version)
    error_message = "kubernetes_version must be one that EKS supports at the standard price: ${join(", ", keys(local.end_of_standard_support))}. Add a newer one to modules/cluster/kubernetes_versions.json with its date."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets for the control plane's network interfaces, in at least two zones."

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name subnets in at least two zones: EKS needs them."
  }
}

variable "api_public_cidrs" {
  type        = set(string)
  description = "Addresses that may reach the Kubernetes API from outside the VPC. None: only from inside it."
  default     = []

  validation {
    condition     = alltrue([for cidr in var.api_public_cidrs : can(cidrnetmask(cidr)) && try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "api_public_cidrs must be IPv4 networks in CIDR notation without host bits, such as 192.0.2.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.api_public_cidrs : try(tonumber(split("/", cidr)[1]) >= 16, true)])
    error_message = "api_public_cidrs must be a /16 or smaller each: what is wider is no allow-list. A deploy job opens the API to its own address only, for as long as it runs."
  }

  validation {
    condition     = length(var.api_public_cidrs) <= 40
    error_message = "api_public_cidrs must be 40 networks at most: EKS takes no more."
  }
}

variable "admin_role_arns" {
  type        = set(string)
  description = "IAM roles that administer the cluster: the one that deploys the charts, at least."
  default     = []

  validation {
    condition     = alltrue([for arn in var.admin_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", arn))])
    error_message = "admin_role_arns must be ARNs of IAM roles."
  }
}

variable "addon_versions" {
  type        = map(string)
  description = "Pinned add-on versions by add-on name. Not named: what AWS installs for this Kubernetes version, kept until it is named."
  default     = {}

  validation {
    condition     = alltrue([for version in values(var.addon_versions) : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", version))])
    error_message = "addon_versions must be written like v1.2.3-eksbuild.4."
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
    error_message = "log_types must be among api, audit, authenticator, controllerManager and scheduler."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Days that control-plane logs are kept."
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the ages CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
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
