variable "name" {
  type        = string
  description = "Name of the deployment and of its cluster."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, starting with a letter."
  }
}

variable "cluster_name" {
  type        = string
  description = "The cluster, from its module: known once it exists."
}

variable "cluster_security_group_id" {
  type        = string
  description = "Security group of control plane and nodes; tagged so that Karpenter finds it."
}

variable "nodes_security_group_id" {
  type        = string
  description = "The nodes' own security group, which lets them reach each other and their homes."
}

variable "cluster_addons" {
  type        = list(string)
  description = "Add-ons that must run before a node is ready; nodes wait for them."
}

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes version of the nodes: the control plane's."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets of the core nodes: of one zone, since the volumes of what runs there (the hub's database, monitoring) are zonal."

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must name a subnet for the core nodes."
  }
}

variable "core_instance_type" {
  type        = string
  description = "Instance type of the nodes that always run: hub, proxy, gateway, BinderHub, Karpenter, monitoring."
  default     = "t3a.large"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.(medium|[0-9]*x?large)$", var.core_instance_type))
    error_message = "core_instance_type must be an instance type such as t3a.large: nothing smaller than medium holds the hub."
  }

  # Families with a g after their number, and the first: the image, and the hub's, are for x86-64.
  validation {
    condition     = !can(regex("^(a1|[a-z]+[0-9]+g[a-z-]*)\\.", var.core_instance_type))
    error_message = "core_instance_type must be of the x86-64 architecture, which Graviton's types (with a g after the number, such as t4g) are not."
  }
}

variable "core_nodes" {
  type        = number
  description = "How many of them. One is the cheapest; two survive the loss of one."
  default     = 1

  validation {
    condition     = var.core_nodes >= 1 && var.core_nodes <= 10 && floor(var.core_nodes) == var.core_nodes
    error_message = "core_nodes must be a whole number from 1 to 10."
  }
}

variable "core_ami_release" {
  type        = string
  description = "Release of the core nodes' AMI, such as 1.36.2-20260801. null: the newest when the node group is made, and kept until this is named."
  default     = null

  validation {
    condition     = var.core_ami_release == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+-[0-9]{8}$", var.core_ami_release))
    error_message = "core_ami_release must be written like 1.36.2-20260801."
  }
}

variable "core_disk_gb" {
  type        = number
  description = "Disk of a core node, in GB: the operating system and the images of what runs there."
  default     = 30

  validation {
    condition     = var.core_disk_gb >= 20 && var.core_disk_gb <= 1000
    error_message = "core_disk_gb must be from 20 to 1000."
  }
}

variable "addon_versions" {
  type        = map(string)
  description = "Pinned add-on versions by add-on name. Not named: what AWS installs for this Kubernetes version."
  default     = {}
}

variable "addon_identities" {
  type        = map(object({ role_arn = string, service_account = string }))
  description = "The role that an add-on's pods assume through EKS Pod Identity, by add-on name."
  default     = {}
}

variable "karpenter_service_account" {
  type        = object({ namespace = string, name = string })
  description = "The service account that Karpenter's controller runs as: where the support chart installs it."
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role made here; null for none."
  default     = null
}

variable "tags" {
  type        = map(string)
  description = "The deployment's tags, for what the provider's default tags do not reach: instances, disks and interfaces that EKS launches."
}
