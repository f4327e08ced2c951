# Two buckets, closed alike: scratch for intermediate results, bills for what AWS exports.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # Bucket names are shared by all of AWS: the account makes them ours.
  buckets = {
    scratch = {
      name      = "${var.name}-scratch-${data.aws_caller_identity.current.account_id}"
      days      = var.scratch_days
      removable = true
    }
    bills = {
      name      = "${var.name}-bills-${data.aws_caller_identity.current.account_id}"
      days      = var.bills_days
      removable = var.bills_are_removable
    }
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  bucket        = each.value.name
  force_destroy = each.value.removable

  tags = { Name = each.value.name }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = each.value.days
    }
    # An upload that was never finished is billed, and shown nowhere.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  # Both change who may do what with the bucket; AWS refuses them at the same time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "bucket" {
  for_each = aws_s3_bucket.this

  statement {
    sid       = "OnlyOverTLS"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # As AWS asks for Data Exports, for exports of this account only.
  dynamic "statement" {
    for_each = each.key == "bills" ? [data.aws_caller_identity.current.account_id] : []

    content {
      sid       = "BillExports"
      actions   = ["s3:PutObject", "s3:GetBucketPolicy"]
      resources = [each.value.arn, "${each.value.arn}/*"]

      principals {
        type        = "Service"
        identifiers = ["bcm-data-exports.amazonaws.com", "billingreports.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [statement.value]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values = [
          "arn:${data.aws_partition.current.partition}:bcm-data-exports:us-east-1:${statement.value}:export/*",
          "arn:${data.aws_partition.current.partition}:cur:us-east-1:${statement.value}:definition/*",
        ]
      }
    }
  }
}
