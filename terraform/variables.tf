# Values that only the root knows are checked here; the others where they mean something, in the modules.

variable "project" {
  type        = string
  description = "What this is part of: the first half of every name, and a cost tag."
  default     = "pangeo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and dashes, starting with a letter: it becomes part of bucket names."
  }

  validation {
    condition     = !strcontains(var.project, "--")
    error_message = "project must not hold two dashes in a row: it becomes part of names of image repositories, which cannot."
  }
}

variable "environment" {
  type        = string
  description = "Which deployment of the project: the second half of every name, and a cost tag."
  nullable    = false

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

# Cluster

variable "kubernetes_version" {
  type        = string
  description = "Kubernetes version of control plane and nodes: one in EKS standard support."
  default     = "1.36"
}

variable "api_public_cidrs" {
  type        = set(string)
  description = "Networks that may reach the Kubernetes API from outside the VPC. None: only from inside it; a deploy job opens it to its own address for as long as it runs."
  default     = []
}

variable "cluster_admin_roles" {
  type        = set(string)
  description = "IAM roles of this account that administer the cluster, by name with their path: the pipeline's, which deploys the charts, and people's, such as aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Admin_0123456789abcdef."
  default     = []

  validation {
    condition     = alltrue([for role in var.cluster_admin_roles : can(regex("^[\\w+=,.@/-]{1,128}$", role))])
    error_message = "cluster_admin_roles must be names of IAM roles, not ARNs."
  }
}

variable "addon_versions" {
  type        = map(string)
  description = "Pinned EKS add-on versions by add-on. Not named: what AWS installs for the Kubernetes version, kept until it is named."
  default     = {}

  validation {
    condition = alltrue([for addon in keys(var.addon_versions) : contains([
      "aws-ebs-csi-driver", "aws-efs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni",
    ], addon)])
    error_message = "addon_versions must be of aws-ebs-csi-driver, aws-efs-csi-driver, coredns, eks-pod-identity-agent, kube-proxy or vpc-cni."
  }
}

variable "log_types" {
  type        = set(string)
  description = "Control-plane logs to keep. audit and authenticator say who did what; each gigabyte costs."
  default     = ["audit", "authenticator"]
}

variable "log_retention_days" {
  type        = number
  description = "Days that control-plane logs are kept."
  default     = 30
}

variable "deletion_protection" {
  type        = bool
  description = "Refuse to delete the cluster until this is false."
  default     = false
}

variable "permissions_boundary" {
  type        = string
  description = "Name of the policy that bounds every role made here: the bootstrap prints it, and its apply roles make no role without it. null: none."
  default     = null
}

# Nodes

variable "core_zone" {
  type        = string
  description = "The zone of the core nodes and their volumes. null: the homes' zone, else the first."
  default     = null

  validation {
    condition     = var.core_zone == null || contains(keys(var.zones), coalesce(var.core_zone, "-"))
    error_message = "core_zone must be one of the deployment's zones (${join(", ", keys(var.zones))})."
  }
}

variable "core_instance_type" {
  type        = string
  description = "Instance type of the nodes that always run: hub, proxy, gateway, BinderHub, Karpenter, monitoring."
  default     = "t3a.large"
}

variable "core_nodes" {
  type        = number
  description = "How many of them. One is the cheapest; with two, one can be replaced without a pause."
  default     = 1
}

variable "core_ami_release" {
  type        = string
  description = "Release of the core nodes' AMI, such as 1.36.2-20260801. null: the newest when the node group is made; nodes then get no security updates until this is named."
  default     = null
}

variable "core_disk_gb" {
  type        = number
  description = "Disk of a core node, in gigabytes."
  default     = 30
}

# Images

variable "user_images" {
  type        = set(string)
  description = "Images that users' servers and Dask workers run; one repository each."
  default     = ["notebook"]
}

variable "user_images_kept" {
  type        = number
  description = "How many versions of a user image are kept."
  default     = 20
}

variable "binder_image_days" {
  type        = number
  description = "Days after which an image that BinderHub built is removed; it is built again when asked for."
  default     = 30
}

# Identity

variable "hub_namespace" {
  type        = string
  description = "Kubernetes namespace of the hub, its users, BinderHub and Dask."
  default     = "pangeo"
}

variable "support_namespace" {
  type        = string
  description = "Kubernetes namespace of monitoring."
  default     = "support"
}

# Cost

variable "monthly_budget_usd" {
  type        = number
  description = "What the deployment may cost a month, in USD: the one figure that alerts and the budget gate go by. It has no default, so that somebody decides."
  nullable    = false
}

variable "budget_scope" {
  type        = string
  description = "What the budget watches: the whole account, which nothing escapes, or only what carries the deployment's tag, for an account that deployments share. A tag is seen only once it is active."
  default     = "account"
}

variable "budget_alerts_percent" {
  type        = set(number)
  description = "Percentages of the budget that, once spent, raise an alert; that it will be spent is forecast besides."
  default     = [50, 80, 100]
}

variable "alert_emails" {
  type        = set(string)
  description = "Addresses that get the alerts; AWS asks each to confirm."
  default     = []
}

variable "anomaly_usd" {
  type        = number
  description = "An anomaly is reported when it cost at least this much more than expected, in USD. null: no monitor. AWS refuses one until Cost Explorer has been enabled in the console for a day, and in an organisation outside the management account."
  default     = null
}

variable "activate_cost_tags" {
  type        = bool
  description = "Make the deployment's tag a cost allocation tag. Such tags are the paying account's, so in one deployment only; and AWS knows a tag only a day after something first carried it, so not on the account's first day."
  default     = false
}

variable "activate_eks_tags" {
  type        = bool
  description = "Also activate the tags of EKS' split cost allocation. They exist a day after the paying account has opted in to it; until then AWS refuses."
  default     = false
}
