# What a person applies once in an account, before any deployment: the state bucket, and the roles that
# GitHub's workflows assume. Its own state starts on that person's disk and moves into the bucket:
#
#   terraform init && terraform apply
#   terraform output -raw own_backend > backend.tf && terraform init -migrate-state
#
# Nobody gets an access key: a workflow trades GitHub's signed word on what it is for an hour in a role.

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  state_bucket     = "${var.project}-tfstate-${local.account_id}"
  state_bucket_arn = "arn:${local.partition}:s3:::${local.state_bucket}"

  github       = "token.actions.githubusercontent.com"
  provider_arn = "arn:${local.partition}:iam::${local.account_id}:oidc-provider/${local.github}"

  # What a subject of this repository starts with: its name, or names and numbers (repositories made,
  # renamed or moved since July 2026). With the numbers known, both are accepted and the numbers asked.
  owner      = split("/", var.github_repository)[0]
  repository = split("/", var.github_repository)[1]
  subjects = concat(
    ["repo:${var.github_repository}"],
    var.github_repository_ids == null ? [] : [
      "repo:${local.owner}@${var.github_repository_ids.owner}/${local.repository}@${var.github_repository_ids.repository}"
    ],
  )

  # Who may assume which role: the end of the subject, and the workflows of the main branch (those of
  # a pull request come from its own files, so only the plan role trusts one). A job with an
  # environment has that environment as its subject whatever its branch, so the environment's own
  # rules (reviewers, branches) guard the apply roles, and `ref` is asked beside them. A pull request
  # from a fork gets no token at all.
  main = "refs/heads/${var.main_branch}"
  trusted = merge(
    {
      plan = {
        endings   = ["pull_request", "ref:${local.main}"]
        workflows = ["deploy", "destroy", "nightly", "review", "rollback", "weekly"]
        refs      = [local.main, "refs/pull/*/merge"]
        claims    = {}
      }
    },
    {
      for name in var.environments : "${name}-apply" => {
        endings   = ["environment:${name}"]
        workflows = ["deploy", "destroy", "event", "janitor", "monthly", "rollback"]
        refs      = [local.main]
        claims    = { environment = name }
      }
    },
    # Opens and closes the Kubernetes API, so that the night can close what a lost job left open.
    {
      for name in var.environments : "${name}-access" => {
        endings   = ["ref:${local.main}"]
        workflows = ["nightly"]
        refs      = [local.main]
        claims    = {}
      }
    },
  )

  roles = {
    for name, role in local.trusted : name => flatten([for subject in local.subjects : [for ending in role.endings : "${subject}:${ending}"]])
  }

  # Claims that AWS compares since January 2026, beside the subject.
  claims = {
    for name, role in local.trusted : name => merge(
      role.claims,
      var.github_repository_ids == null ? {} : { repository_id = tostring(var.github_repository_ids.repository) },
    )
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_oidc_provider ? 1 : 0

  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  #checkov:skip=CKV_AWS_358:it does not follow each.value; tests evaluate the policies against the subjects GitHub sends

  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github}:sub"
      values   = each.value
    }

    # The workflow file that the job runs, and the branch or pull request that the file came from.
    condition {
      test     = "StringLike"
      variable = "${local.github}:job_workflow_ref"
      values = flatten([
        for workflow in local.trusted[each.key].workflows : [
          for ref in local.trusted[each.key].refs : "${var.github_repository}/.github/workflows/${workflow}.yml@${ref}"
          if ref == local.main || workflow == "review"
        ]
      ])
    }

    condition {
      test     = "StringLike"
      variable = "${local.github}:ref"
      values   = local.trusted[each.key].refs
    }

    dynamic "condition" {
      for_each = local.claims[each.key]

      content {
        test     = "StringEquals"
        variable = "${local.github}:${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "plan" {
  name                 = "${var.project}-plan"
  description          = "Reads what the deployments consist of, for plans and drift; changes nothing"
  assume_role_policy   = data.aws_iam_policy_document.trust["plan"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "plan" {
  name   = "read"
  role   = aws_iam_role.plan.name
  policy = data.aws_iam_policy_document.plan.json
}

resource "aws_iam_role" "apply" {
  for_each = var.environments

  name                 = "${var.project}-${each.key}-apply"
  description          = "Applies ${each.key}, from the GitHub environment of that name"
  assume_role_policy   = data.aws_iam_policy_document.trust["${each.key}-apply"].json
  permissions_boundary = aws_iam_policy.deployer_boundary.arn
  max_session_duration = 10800 # a cluster, two charts and a benchmark take longer than an hour

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role" "access" {
  for_each = var.environments

  name                 = "${var.project}-${each.key}-access"
  description          = "Opens and closes the Kubernetes API of ${each.key}; nothing else"
  assume_role_policy   = data.aws_iam_policy_document.trust["${each.key}-access"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "access" {
  for_each = var.environments

  name   = "api-access"
  role   = aws_iam_role.access[each.key].name
  policy = data.aws_iam_policy_document.access[each.key].json
}

resource "aws_iam_policy" "apply" {
  for_each = var.environments

  name        = "${var.project}-${each.key}-apply"
  description = "Everything that ${each.key} consists of, by name where AWS can tell by name"
  policy      = data.aws_iam_policy_document.apply[each.key].json
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each = var.environments

  role       = aws_iam_role.apply[each.key].name
  policy_arn = aws_iam_policy.apply[each.key].arn
}

resource "aws_iam_policy" "limits" {
  for_each = var.environments

  name        = "${var.project}-${each.key}-limits"
  description = "Keeps the apply role of ${each.key} from what belongs to others"
  policy      = data.aws_iam_policy_document.limits[each.key].json
}

resource "aws_iam_role_policy_attachment" "limits" {
  for_each = var.environments

  role       = aws_iam_role.apply[each.key].name
  policy_arn = aws_iam_policy.limits[each.key].arn
}

resource "aws_iam_policy" "deployer_boundary" {
  name        = "${var.project}-deployer-boundary"
  description = "The most that an apply role can do, whatever it is given"
  policy      = data.aws_iam_policy_document.deployer_boundary.json
}

resource "aws_iam_policy" "workload_boundary" {
  name        = "${var.project}-workload-boundary"
  description = "The most that a role made by an apply role can do, whatever it is given"
  policy      = data.aws_iam_policy_document.workload_boundary.json
}
