variable "project" {
  type        = string
  description = "What the deployments are part of: the first half of every name, as in the deployments' own variable."
  default     = "pangeo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and dashes, starting with a letter: it becomes part of bucket names."
  }
}

variable "region" {
  type        = string
  description = "AWS region of the state bucket and of the deployments."
  default     = "us-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the code of an AWS region, such as us-west-2."
  }
}

variable "github_repository" {
  type        = string
  description = "Your own GitHub repository, whose workflows deploy, as OWNER/NAME. It gets roles that administer this account's deployments, so nothing is trusted by default."

  validation {
    condition     = can(regex("^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be OWNER/NAME, without wildcards."
  }
}

variable "github_repository_ids" {
  type        = object({ owner = number, repository = number })
  description = "GitHub's numbers for owner and repository, if its subjects carry them: repositories made, renamed or moved since July 2026, and those that chose to. `gh api repos/OWNER/NAME/actions/oidc/customization/sub` shows it. Null: subjects carry names alone."
  default     = null

  validation {
    condition     = var.github_repository_ids == null ? true : var.github_repository_ids.owner > 0 && var.github_repository_ids.repository > 0
    error_message = "github_repository_ids must be two positive numbers."
  }
}

variable "environments" {
  type        = set(string)
  description = "Environments, each with a GitHub environment of the same name and an apply role of its own."
  default     = ["prod", "staging"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,11}$", name))])
    error_message = "environments must be at least one; each 2 to 12 lower-case letters and digits, starting with a letter."
  }

  validation {
    condition     = length(setintersection(var.environments, ["bootstrap", "deployer", "plan", "tfstate", "workload"])) == 0
    error_message = "environments must not be bootstrap, deployer, plan, tfstate or workload: those are names of this root's own."
  }
}

variable "main_branch" {
  type        = string
  description = "The branch whose scheduled workflow looks for drift, with the plan role."
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.main_branch))
    error_message = "main_branch must be a branch's name, without wildcards."
  }
}

variable "create_oidc_provider" {
  type        = bool
  description = "Make GitHub's OIDC provider. An account has only one: false if it is there already."
  default     = true
}
