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
      project     = var.name
      environment = "bootstrap"
      deployment  = "${var.name}-bootstrap"
      managed-by  = "terraform"
    }
  }
}
