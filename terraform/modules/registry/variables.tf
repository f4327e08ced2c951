variable "name" {
  type        = string
  description = "Name of the deployment; its repositories are NAME/..."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, starting with a letter."
  }
}

variable "user_images" {
  type        = set(string)
  description = "Images that users' servers and Dask workers run; one repository each."
  default     = ["notebook"]

  validation {
    condition     = alltrue([for image in var.user_images : can(regex("^[a-z0-9]+(?:[._-][a-z0-9]+)*$", image))])
    error_message = "user_images must be lower-case letters and digits, with single . _ or - between them."
  }

  validation {
    condition     = !contains(var.user_images, "binder")
    error_message = "user_images must not hold binder: that is where BinderHub puts its own."
  }
}

variable "user_images_kept" {
  type        = number
  description = "How many tagged versions of a user image are kept; older ones are removed."
  default     = 20

  validation {
    condition     = var.user_images_kept >= 2 && floor(var.user_images_kept) == var.user_images_kept
    error_message = "user_images_kept must be a whole number, 2 or more, so that there is one to go back to."
  }
}

variable "binder_image_days" {
  type        = number
  description = "Days after which an image that BinderHub built is removed; it is built again when asked for."
  default     = 30

  validation {
    condition     = var.binder_image_days >= 1 && floor(var.binder_image_days) == var.binder_image_days
    error_message = "binder_image_days must be a whole number of days, 1 or more."
  }
}

variable "force_delete" {
  type        = bool
  description = "Let destroy remove repositories that still hold images."
  default     = true
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role made here; null for none."
  default     = null
}

variable "tags" {
  type        = map(string)
  description = "The deployment's tags, for the repositories that BinderHub's pushes make."
}
