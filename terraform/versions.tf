terraform {
  # 1.10 brought the S3 backend's own lock file; validations that look at other values need 1.9.
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }

  # Bucket, key and region come from `-backend-config`: the bootstrap prints them.
  backend "s3" {
    use_lockfile = true
  }
}
