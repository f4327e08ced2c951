# Images and roles of what runs in the cluster.

provider "aws" {
  region = "us-west-2"
}

variables {
  name                    = "pangeo-test"
  cluster_name            = "pangeo-test"
  scratch_bucket_arn      = "arn:aws:s3:::pangeo-test-scratch-123456789012"
  bill_bucket_arn         = "arn:aws:s3:::pangeo-test-bills-123456789012"
  alerts_topic_arn        = "arn:aws:sns:us-west-2:123456789012:pangeo-test-alerts"
  binder_repositories_arn = "arn:aws:ecr:us-west-2:123456789012:repository/pangeo-test/binder/*"
  tags                    = { deployment = "pangeo-test" }
}

run "images" {
  command = plan

  module {
    source = "./modules/registry"
  }

  assert {
    condition     = aws_ecr_repository.user["notebook"].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.user["notebook"].image_scanning_configuration[0].scan_on_push
    error_message = "A tag stays the image that was tested, and is scanned."
  }

  assert {
    condition     = aws_ecr_repository_creation_template.binder.prefix == "pangeo-test/binder" && aws_ecr_repository_creation_template.binder.applied_for == toset(["CREATE_ON_PUSH"])
    error_message = "BinderHub's first push of an image makes its repository."
  }

  assert {
    condition     = jsondecode(aws_ecr_repository_creation_template.binder.lifecycle_policy).rules[0].selection.countNumber == 30
    error_message = "BinderHub's images go after a month."
  }
}

run "identities" {
  command = plan

  module {
    source = "./modules/identity"
  }

  assert {
    condition     = keys(aws_eks_pod_identity_association.workload) == ["alertmanager", "binder", "cost-reader", "dask", "notebook"]
    error_message = "These workloads act in AWS, and no other."
  }

  assert {
    condition = alltrue([
      for name, role in aws_iam_role.this :
      one([for one in jsondecode(role.assume_role_policy).Statement : one.Condition.StringEquals["aws:RequestTag/eks-cluster-name"]]) == "pangeo-test"
    ])
    error_message = "Another cluster's pods could take a role."
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.workload["notebook"].policy, "users/$${aws:PrincipalTag/kubernetes-pod-name}/*")
    error_message = "A user's server could reach another user's scratch."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.workload["dask"].policy, "users/")
    error_message = "Dask workers are not named for their user, so users' prefixes are not theirs."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == null])
    error_message = "Without a choice there is no boundary to name."
  }
}

run "bounded" {
  command = plan

  module {
    source = "./modules/identity"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/pangeo-workload-boundary"
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == var.permissions_boundary])
    error_message = "Every role is bounded."
  }
}

run "refuses_wrong_values_of_registry" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    user_images       = ["binder"]
    user_images_kept  = 1
    binder_image_days = 0
  }

  expect_failures = [
    var.user_images,
    var.user_images_kept,
    var.binder_image_days,
  ]
}

run "refuses_a_bad_image_name" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    user_images = ["My Image"]
  }

  expect_failures = [
    var.user_images,
  ]
}

run "refuses_wrong_values_of_identity" {
  command = plan

  module {
    source = "./modules/identity"
  }

  variables {
    hub_namespace     = "Pangeo Hub"
    support_namespace = "-"
  }

  expect_failures = [
    var.hub_namespace,
    var.support_namespace,
  ]
}
