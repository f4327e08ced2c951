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

variable "hub_namespace" {
  type        = string
  description = "Kubernetes namespace of the hub, its users, BinderHub and Dask."
  default     = "pangeo"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.hub_namespace))
    error_message = "hub_namespace must be lower-case letters, digits and dashes."
  }
}

variable "support_namespace" {
  type        = string
  description = "Kubernetes namespace of monitoring."
  default     = "support"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.support_namespace))
    error_message = "support_namespace must be lower-case letters, digits and dashes."
  }
}

variable "scratch_bucket_arn" {
  type        = string
  description = "ARN of the bucket for users' scratch data."
}

variable "bill_bucket_arn" {
  type        = string
  description = "ARN of the bucket that the bill is exported to."
}

variable "binder_repositories_arn" {
  type        = string
  description = "ARN pattern of the image repositories that BinderHub pushes to."
}

variable "alerts_topic_arn" {
  type        = string
  description = "ARN of the topic that Alertmanager tells."
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role made here; null for none."
  default     = null
}
