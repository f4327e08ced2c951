# What each workload may do.
#
# Scratch: the hub names a user's pod `jupyter-USER`, and EKS tags the pod's session with that name. So
# one role gives every user a prefix of their own, without a service account each. What the tags cannot
# give: a Dask worker's pod is not named for its user, so users and workers meet under `shared/`, which
# everyone with a server can read and write; a user's second, named server has another pod name and so
# another prefix; visitors from Binder run under another service account and get nothing.

locals {
  scratch_own    = "users/$${aws:PrincipalTag/kubernetes-pod-name}/*"
  scratch_shared = "shared/*"

  object_actions = [
    "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
  ]
}

data "aws_iam_policy_document" "notebook" {
  statement {
    sid       = "Objects"
    actions   = local.object_actions
    resources = ["${var.scratch_bucket_arn}/${local.scratch_own}", "${var.scratch_bucket_arn}/${local.scratch_shared}"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.scratch_bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [local.scratch_own, local.scratch_shared]
    }
  }
}

data "aws_iam_policy_document" "dask" {
  statement {
    sid       = "Objects"
    actions   = local.object_actions
    resources = ["${var.scratch_bucket_arn}/${local.scratch_shared}"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [var.scratch_bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [local.scratch_shared]
    }
  }
}

data "aws_iam_policy_document" "binder" {
  # Knows no resource: the token gives what the other statement allows.
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository",
      "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [var.binder_repositories_arn]
  }
}

# For the cost panel. Each Cost Explorer request costs 0.01 USD: the panel asks once a day.
data "aws_iam_policy_document" "cost_reader" {
  statement {
    sid       = "Explore"
    actions   = ["ce:GetCostAndUsage", "ce:GetCostForecast"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadBill"
    actions   = ["s3:GetObject"]
    resources = ["${var.bill_bucket_arn}/*"]
  }

  statement {
    sid       = "ListBill"
    actions   = ["s3:ListBucket"]
    resources = [var.bill_bucket_arn]
  }
}

data "aws_iam_policy_document" "alertmanager" {
  statement {
    sid       = "Tell"
    actions   = ["sns:Publish"]
    resources = [var.alerts_topic_arn]
  }
}
