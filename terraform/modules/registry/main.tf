# Where images live. User images are built by a person or by CI and named by version; BinderHub's are
# built on demand, one repository for each source repository, which ECR wants to exist beforehand.

locals {
  registry     = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${data.aws_region.current.region}.amazonaws.com"
  repositories = "arn:${data.aws_partition.current.partition}:ecr:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:repository/${var.name}"
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_ecr_repository" "user" {
  for_each = var.user_images

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "user" {
  for_each = var.user_images

  repository = aws_ecr_repository.user[each.key].name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Layers that no tag names"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 1 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Old versions"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.user_images_kept }
        action       = { type = "expire" }
      },
    ]
  })
}

# What ECR makes when BinderHub pushes an image of a source repository that it has not seen before.
resource "aws_ecr_repository_creation_template" "binder" {
  prefix               = "${var.name}/binder"
  description          = "Images that BinderHub builds in ${var.name}"
  applied_for          = ["CREATE_ON_PUSH"]
  image_tag_mutability = "IMMUTABLE"
  resource_tags        = var.tags
  custom_role_arn      = aws_iam_role.template.arn

  encryption_configuration {
    encryption_type = "AES256"
  }

  lifecycle_policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Built again when asked for"
        selection    = { tagStatus = "any", countType = "sinceImagePushed", countUnit = "days", countNumber = var.binder_image_days }
        action       = { type = "expire" }
      },
    ]
  })

  depends_on = [aws_iam_role_policy.template]
}

# ECR needs a role to tag what a template makes. Its trust is as ECR documents it, without a source: a
# template takes roles of its own account only, and a condition that ECR does not meet would fail every
# first push.
data "aws_iam_policy_document" "template_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecr.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "template" {
  statement {
    actions   = ["ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:TagResource"]
    resources = ["${local.repositories}/binder/*"]
  }
}

resource "aws_iam_role" "template" {
  name                 = "${var.name}-ecr-template"
  description          = "ECR, when it makes a repository for an image of BinderHub's in ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.template_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "template" {
  name   = "make-repositories"
  role   = aws_iam_role.template.name
  policy = data.aws_iam_policy_document.template.json
}
