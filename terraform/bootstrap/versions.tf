terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = var.project
      environment = "bootstrap"
      deployment  = "${var.project}-bootstrap"
      managed-by  = "terraform"
    }
  }
}
