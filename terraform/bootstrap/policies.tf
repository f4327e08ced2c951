# What the roles may do. Where AWS knows no resource for an action, or no name before the thing exists
# (networks, keys, file systems), the region is the limit; everything else is limited by name.

locals {
  # Read by a plan: everything that Terraform compares with its state. No objects, no secrets.
  read_actions = [
    "bcm-data-exports:GetExport", "bcm-data-exports:ListTagsForResource",
    "budgets:ListTagsForResource", "budgets:ViewBudget",
    "ce:GetAnomalyMonitors", "ce:GetAnomalySubscriptions", "ce:ListCostAllocationTags", "ce:ListTagsForResource",
    "ec2:Describe*", "ec2:GetSecurityGroupsForVpc",
    "ecr:DescribeRepositories", "ecr:DescribeRepositoryCreationTemplates", "ecr:GetLifecyclePolicy",
    "ecr:ListTagsForResource",
    "eks:Describe*", "eks:List*",
    "elasticfilesystem:Describe*", "elasticfilesystem:ListTagsForResource",
    "elasticloadbalancing:Describe*",
    "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
    "iam:GetInstanceProfile", "iam:GetOpenIDConnectProvider", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole",
    "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
    "iam:ListPolicyVersions", "iam:ListRolePolicies", "iam:ListRoleTags",
    "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags",
    "logs:DescribeLogGroups", "logs:ListTagsForResource",
    "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
    "servicequotas:GetServiceQuota", "servicequotas:ListServiceQuotas",
    "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sqs:GetQueueAttributes", "sqs:ListQueueTags",
    "tag:GetResources",
  ]

  # Written by an apply; AWS cannot tell these by name.
  unnamed_actions = [
    "bcm-data-exports:*", "budgets:*", "ce:*AnomalyMonitor*", "ce:*AnomalySubscription*", "ce:TagResource",
    "ce:UntagResource", "ce:UpdateCostAllocationTagsStatus", "cur:PutReportDefinition",
  ]
  unnamed_regional_actions = [
    "ec2:*", "ecr:*RepositoryCreationTemplate*", "elasticfilesystem:*", "kms:*", "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
  ]

  # Reading is no harm; the rest of this list cannot be told by tag.
  untouched_actions = concat(local.read_actions, ["iam:*", "s3:*"])

  # What is made with the deployment's tag, and what an accident with it would cost most.
  removing_actions = [
    "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteLaunchTemplate", "ec2:DeleteNatGateway",
    "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSnapshot", "ec2:DeleteSubnet", "ec2:DeleteVolume",
    "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:ReleaseAddress", "ec2:TerminateInstances",
    "elasticfilesystem:DeleteAccessPoint", "elasticfilesystem:DeleteFileSystem",
    "elasticfilesystem:DeleteFileSystemPolicy", "elasticfilesystem:PutFileSystemPolicy", "kms:DisableKey",
    "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
  ]

  services = [
    "autoscaling.amazonaws.com", "backup.amazonaws.com", "ecr.amazonaws.com", "eks-nodegroup.amazonaws.com",
    "eks.amazonaws.com", "elasticfilesystem.amazonaws.com", "elasticloadbalancing.amazonaws.com", "spot.amazonaws.com",
  ]

  iam = "arn:${local.partition}:iam::${local.account_id}"

  # Things of this root, which no workflow may touch.
  own = concat(
    ["${local.iam}:role/${var.project}-plan", "${local.iam}:policy/${var.project}-*-boundary", local.provider_arn],
    flatten([
      for name in var.environments : [
        "${local.iam}:role/${var.project}-${name}-access",
        "${local.iam}:role/${var.project}-${name}-apply",
        "${local.iam}:policy/${var.project}-${name}-apply",
        "${local.iam}:policy/${var.project}-${name}-limits",
      ]
    ]),
  )
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "Read"
    actions   = local.read_actions
    resources = ["*"]
  }

  # Plans in pull requests run with -lock=false: the role cannot write a lock, nor anything else.
  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = [for name in var.environments : "${local.state_bucket_arn}/${name}/terraform.tfstate"]
  }
}

data "aws_iam_policy_document" "access" {
  for_each = var.environments

  statement {
    sid       = "OwnCluster"
    actions   = ["eks:DescribeCluster", "eks:UpdateClusterConfig"]
    resources = ["arn:${local.partition}:eks:${var.region}:${local.account_id}:cluster/${var.project}-${each.key}"]
  }
}

data "aws_iam_policy_document" "apply" {
  for_each = var.environments

  statement {
    sid       = "Read"
    actions   = local.read_actions
    resources = ["*"]
  }

  statement {
    sid       = "Account"
    actions   = local.unnamed_actions
    resources = ["*"]
  }

  statement {
    sid       = "Region"
    actions   = local.unnamed_regional_actions
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  # The hub's login, which a person writes and a deploy gives to the cluster.
  statement {
    sid       = "ReadLogin"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:${var.project}-${each.key}/hub/*"]
  }

  statement {
    sid     = "Named"
    actions = ["ecr:*", "eks:*", "events:*", "logs:*", "s3:*", "sns:*", "sqs:*"]
    resources = flatten([
      "arn:${local.partition}:s3:::${var.project}-${each.key}-*",
      [
        for resource in [
          "ecr:${var.region}:${local.account_id}:repository/${var.project}-${each.key}/*",
          "eks:${var.region}:${local.account_id}:*/${var.project}-${each.key}",
          "eks:${var.region}:${local.account_id}:*/${var.project}-${each.key}/*",
          "events:${var.region}:${local.account_id}:rule/${var.project}-${each.key}-*",
          "logs:${var.region}:${local.account_id}:log-group:/aws/*/${var.project}-${each.key}/*",
          "sns:${var.region}:${local.account_id}:${var.project}-${each.key}-*",
          "sqs:${var.region}:${local.account_id}:${var.project}-${each.key}-*",
        ] : "arn:${local.partition}:${resource}"
      ],
    ])
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:CreatePolicy",
      "iam:CreatePolicyVersion", "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeletePolicy",
      "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
      "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile",
      "iam:TagInstanceProfile", "iam:TagPolicy", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagPolicy",
      "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ]
    resources = [for type in ["instance-profile", "policy", "role"] : "${local.iam}:${type}/${var.project}-${each.key}-*"]
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.iam}:role/${var.project}-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com", "ecr.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com"]
    }
  }

  statement {
    sid       = "ServiceRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.iam}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = local.services
    }
  }

  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.state_bucket_arn}/${each.key}/terraform.tfstate"]
  }

  statement {
    sid       = "StateLock"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.state_bucket_arn}/${each.key}/terraform.tfstate.tflock"]
  }
}

# What keeps an apply role from the other environments, where names cannot: a policy that only denies.
data "aws_iam_policy_document" "limits" {
  for_each = var.environments

  # What AWS cannot tell by name it can tell by tag: what belongs to another deployment stays as it
  # is, and cannot be given another tag.
  statement {
    sid         = "NotAnothersByTag"
    effect      = "Deny"
    not_actions = local.untouched_actions
    resources   = ["*"]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/deployment"
      values   = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:ResourceTag/deployment"
      values   = ["${var.project}-${each.key}"]
    }
  }

  # Nor may it make things in another's name, or remove what carries nobody's.
  statement {
    sid       = "NotInAnothersName"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/deployment"
      values   = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:RequestTag/deployment"
      values   = ["${var.project}-${each.key}"]
    }
  }

  statement {
    sid       = "RemovesItsOwn"
    effect    = "Deny"
    actions   = local.removing_actions
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:ResourceTag/deployment"
      values   = ["${var.project}-${each.key}"]
    }
  }

  # Budgets and exports are known by their names alone.
  statement {
    sid     = "NotAnothersByName"
    effect  = "Deny"
    actions = ["bcm-data-exports:DeleteExport", "bcm-data-exports:UpdateExport", "budgets:*"]
    not_resources = [
      "arn:${local.partition}:bcm-data-exports:*:${local.account_id}:*/${var.project}-${each.key}*",
      "arn:${local.partition}:budgets::${local.account_id}:*/${var.project}-${each.key}*",
    ]
  }
}

# A boundary gives nothing: a role can do what both its policies and its boundary allow.
data "aws_iam_policy_document" "deployer_boundary" {
  #checkov:skip=CKV_AWS_356:a boundary gives nothing; it bounds what is given by name

  statement {
    sid = "Services"
    actions = concat(local.read_actions, local.unnamed_actions, local.unnamed_regional_actions, [
      "ecr:*", "eks:*", "events:*", "iam:*", "logs:*", "s3:*", "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue", "sns:*", "sqs:*",
    ])
    resources = ["*"]
  }

  statement {
    sid       = "NotItsOwnChains"
    effect    = "Deny"
    actions   = ["iam:*"]
    resources = local.own
  }

  statement {
    sid       = "NoKeysNoUsers"
    effect    = "Deny"
    actions   = ["iam:*AccessKey*", "iam:*Group*", "iam:*LoginProfile*", "iam:*SAMLProvider*", "iam:*User*", "iam:DeleteRolePermissionsBoundary"]
    resources = ["*"]
  }

  statement {
    sid       = "OnlyBoundedRoles"
    effect    = "Deny"
    actions   = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "iam:PermissionsBoundary"
      values   = ["${local.iam}:policy/${var.project}-workload-boundary"]
    }
  }

  statement {
    sid       = "NotTheStatesRules"
    effect    = "Deny"
    actions   = ["s3:Delete*Bucket*", "s3:DeleteObjectVersion", "s3:Put*Configuration", "s3:PutBucket*"]
    resources = [local.state_bucket_arn, "${local.state_bucket_arn}/*"]
  }
}

data "aws_iam_policy_document" "workload_boundary" {
  #checkov:skip=CKV_AWS_107:a boundary gives nothing; it bounds what is given by name
  #checkov:skip=CKV_AWS_108:a boundary gives nothing; it bounds what is given by name
  #checkov:skip=CKV_AWS_109:a boundary gives nothing; it bounds what is given by name
  #checkov:skip=CKV_AWS_111:a boundary gives nothing; it bounds what is given by name
  #checkov:skip=CKV_AWS_356:a boundary gives nothing; it bounds what is given by name

  statement {
    sid = "Services"
    actions = [
      "autoscaling:*", "ce:Get*", "ec2:*", "ecr:*", "eks-auth:AssumeRoleForPodIdentity", "eks:Describe*",
      "elasticfilesystem:*", "elasticloadbalancing:*", "iam:GetInstanceProfile", "iam:ListInstanceProfiles",
      "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ListGrants",
      "pricing:GetProducts", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket",
      "s3:ListMultipartUploadParts", "s3:PutObject", "sns:Publish", "sqs:*",
      "ssm:GetParameter",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "OwnRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.iam}:role/${var.project}-*"]
  }

  statement {
    sid       = "ServiceRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.iam}:role/aws-service-role/*"]
  }

  statement {
    sid       = "NotTheState"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.state_bucket_arn, "${local.state_bucket_arn}/*"]
  }
}
