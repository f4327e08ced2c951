# Homes: one file system for all users, paid by what is in it.

resource "aws_efs_file_system" "homes" {
  encrypted              = true
  availability_zone_name = var.homes_zone

  lifecycle_policy {
    transition_to_ia = "AFTER_${var.homes_idle_days}_DAY${var.homes_idle_days == 1 ? "" : "S"}"
  }
  lifecycle_policy {
    transition_to_primary_storage_class = "AFTER_1_ACCESS"
  }

  tags = { Name = "${var.name}-homes" }

  lifecycle {
    precondition {
      condition     = var.homes_zone == null || contains(var.zones, coalesce(var.homes_zone, "-"))
      error_message = "homes_zone: ${coalesce(var.homes_zone, "-")} is none of the deployment's zones (${join(", ", var.zones)})."
    }
  }
}

# Said either way: AWS turns backups on by itself for a file system in one zone.
resource "aws_efs_backup_policy" "homes" {
  file_system_id = aws_efs_file_system.homes.id

  backup_policy {
    status = var.homes_backup ? "ENABLED" : "DISABLED"
  }
}

resource "aws_efs_mount_target" "homes" {
  for_each = { for zone, subnet in var.subnet_ids : zone => subnet if var.homes_zone == null || zone == var.homes_zone }

  file_system_id  = aws_efs_file_system.homes.id
  subnet_id       = each.value
  security_groups = [var.security_group_id]

  lifecycle {
    # A file system that is in one zone stays there: AWS refuses mount targets elsewhere, half-way.
    precondition {
      condition     = contains(["", each.key], aws_efs_file_system.homes.availability_zone_name == null ? "" : aws_efs_file_system.homes.availability_zone_name)
      error_message = "The homes are in one zone and stay there: set homes_zone = \"${coalesce(aws_efs_file_system.homes.availability_zone_name, "-")}\". To have them in every zone, make a new file system and copy them."
    }
  }
}

# Whoever mounts through it acts as the user that servers run as, and the first directory is that user's.
# Without it the root of the file system is root's, and no server could write into its home: the EFS
# driver does not apply a pod's fsGroup.
resource "aws_efs_access_point" "homes" {
  file_system_id = aws_efs_file_system.homes.id

  posix_user {
    uid = var.homes_owner.uid
    gid = var.homes_owner.gid
  }

  root_directory {
    path = "/homes"

    creation_info {
      owner_uid   = var.homes_owner.uid
      owner_gid   = var.homes_owner.gid
      permissions = "0755"
    }
  }

  tags = { Name = "${var.name}-homes" }
}

resource "aws_efs_file_system_policy" "homes" {
  file_system_id = aws_efs_file_system.homes.id
  policy         = data.aws_iam_policy_document.homes.json
}

data "aws_iam_policy_document" "homes" {
  # Whom the security group lets at a mount target may mount and write, through the access point alone:
  # nobody is root there, whatever user a client claims to be.
  statement {
    sid       = "ThroughTheAccessPoint"
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.homes.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "elasticfilesystem:AccessedViaMountTarget"
      values   = ["true"]
    }
    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [aws_efs_access_point.homes.arn]
    }
  }

  statement {
    sid       = "OnlyOverTLS"
    effect    = "Deny"
    actions   = ["*"]
    resources = [aws_efs_file_system.homes.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
