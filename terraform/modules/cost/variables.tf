variable "name" {
  type        = string
  description = "Name of the deployment: the value of its cost tag."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, starting with a letter."
  }
}

variable "tag_key" {
  type        = string
  description = "The tag that says which deployment a cost belongs to."
  default     = "deployment"
}

variable "monthly_budget_usd" {
  type        = number
  description = "What the deployment may cost a month, in USD. Alerts are relative to it; nothing is stopped by it."

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be more than 0."
  }
}

variable "budget_scope" {
  type        = string
  description = "What the budget watches: the whole account, which nothing escapes, or only what carries the deployment's tag, for an account that others share. A tag is seen only once it is active."
  default     = "account"

  validation {
    condition     = contains(["account", "deployment"], var.budget_scope)
    error_message = "budget_scope must be account or deployment."
  }
}

variable "budget_alerts_percent" {
  type        = set(number)
  description = "Percentages of the budget that, once spent, raise an alert."
  default     = [50, 80, 100]

  validation {
    condition     = length(var.budget_alerts_percent) > 0 && length(var.budget_alerts_percent) <= 9 && alltrue([for percent in var.budget_alerts_percent : percent > 0 && percent <= 1000])
    error_message = "budget_alerts_percent must be one to nine percentages above 0: a budget has at most ten alerts, and one is the forecast's."
  }
}

variable "alert_emails" {
  type        = set(string)
  description = "Addresses that get the alerts; each is asked to confirm. None: the topic exists, and no one hears it."
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "alert_emails must be e-mail addresses."
  }
}

variable "anomaly_usd" {
  type        = number
  description = "An anomaly is reported when it cost at least this much more than expected, in USD. null: no monitor; in an organisation only the management account may have one by tag."
  default     = null

  validation {
    condition     = var.anomaly_usd == null ? true : var.anomaly_usd > 0
    error_message = "anomaly_usd must be more than 0, or null for no monitor."
  }
}

variable "activate_cost_tags" {
  type        = bool
  description = "Make the deployment's tag a cost allocation tag. The account's, so by one deployment only; and AWS knows a tag only a day after something first carried it, so not on the first day."
  default     = false
}

variable "activate_eks_tags" {
  type        = bool
  description = "Also activate the tags of EKS' split cost allocation, which exist a day after the account opted in to it."
  default     = false
}

variable "bill_bucket" {
  type        = string
  description = "Bucket that the bill is exported to; its policy lets the export service write."
}

variable "bill_bucket_region" {
  type        = string
  description = "Region of that bucket."
}

variable "bill_prefix" {
  type        = string
  description = "Folder of the export in that bucket."
  default     = "cur2"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9/_-]*[a-z0-9]$", var.bill_prefix))
    error_message = "bill_prefix must be lower-case letters, digits, _ - and /, neither starting nor ending with /."
  }
}
