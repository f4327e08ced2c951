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

  # What a subject of this repository starts with.
  owner      = split("/", var.github_repository)[0]
  repository = split("/", var.github_repository)[1]
  subject = (
    var.github_repository_ids == null
    ? "repo:${var.github_repository}"
    : "repo:${local.owner}@${var.github_repository_ids.owner}/${local.repository}@${var.github_repository_ids.repository}"
  )

  # Who may assume which role. A job with an environment has that environment as its subject whatever
  # its branch, so the environment's own rules (reviewers, branches) guard the apply roles. A pull
  # request from a fork gets no token at all.
  roles = merge(
    { plan = ["${local.subject}:pull_request", "${local.subject}:ref:refs/heads/${var.main_branch}"] },
    { for name in var.environments : "${name}-apply" => ["${local.subject}:environment:${name}"] },
  )
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
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
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
