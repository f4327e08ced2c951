# Homes and buckets: what goes by itself, what stays, and what is refused.

provider "aws" {
  region = "us-west-2"
}

variables {
  name              = "pangeo-test"
  zones             = ["us-west-2a", "us-west-2b"]
  subnet_ids        = { us-west-2a = "subnet-0123456789abcdef0", us-west-2b = "subnet-0123456789abcdef1" }
  security_group_id = "sg-0123456789abcdef0"
}

run "without_a_choice" {
  command = plan

  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_efs_file_system.homes.encrypted && aws_efs_backup_policy.homes.backup_policy[0].status == "DISABLED"
    error_message = "Homes are encrypted; backups cost and are chosen."
  }

  assert {
    condition = (
      aws_efs_access_point.homes.posix_user[0].uid == 1000 && aws_efs_access_point.homes.posix_user[0].gid == 100
      && aws_efs_access_point.homes.root_directory[0].creation_info[0].owner_uid == 1000
    )
    error_message = "Whoever mounts homes is the user that servers run as; otherwise no server can write into its home."
  }

  assert {
    condition     = length(aws_efs_mount_target.homes) == 2
    error_message = "Homes are reached from every zone."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this["scratch"].rule[0].expiration[0].days == 7
    error_message = "Scratch goes after a week."
  }

  assert {
    condition     = aws_s3_bucket.this["scratch"].force_destroy && !aws_s3_bucket.this["bills"].force_destroy
    error_message = "Bills stay unless said otherwise."
  }
}

run "homes_in_one_zone" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    homes_zone = "us-west-2b"
  }

  assert {
    condition     = keys(aws_efs_mount_target.homes) == ["us-west-2b"]
    error_message = "A file system in one zone is mounted there."
  }
}

run "refuses_homes_elsewhere" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    homes_zone = "us-west-2d"
  }

  expect_failures = [aws_efs_file_system.homes]
}

run "refuses_wrong_values" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    homes_idle_days = 2
    scratch_days    = 0.5
    bills_days      = 31
  }

  expect_failures = [
    var.homes_idle_days,
    var.scratch_days,
    var.bills_days,
  ]
}
