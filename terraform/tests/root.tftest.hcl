# The whole deployment: what it is without a choice made, and what it refuses.

variables {
  environment        = "test"
  monthly_budget_usd = 100
}

run "cheapest" {
  command = plan

  assert {
    condition     = output.name == "pangeo-test" && output.core_zone == "us-west-2a"
    error_message = "The name is project and environment; core nodes are in the first zone."
  }

  assert {
    condition     = output.cluster.version == "1.36" && output.cluster.end_of_standard_support == "2027-08-02"
    error_message = "The default version is not the one in standard support, or not with its date."
  }

  assert {
    condition     = output.service_accounts["notebook"] == { namespace = "pangeo", name = "notebook" }
    error_message = "The charts would use another service account than the one with the role."
  }
}

run "core_nodes_follow_the_homes" {
  command = plan

  variables {
    homes_zone = "us-west-2b"
  }

  assert {
    condition     = output.core_zone == "us-west-2b" && output.homes_zone == "us-west-2b"
    error_message = "With homes in one zone, core nodes are in it too."
  }
}

run "refuses_wrong_values" {
  command = plan

  variables {
    environment         = "Prod_1"
    project             = "a-name-that-is-too-long-for-a-bucket"
    region              = "Oregon"
    core_zone           = "us-west-2d"
    cluster_admin_roles = ["arn:aws:iam::123456789012:role/x"]
    addon_versions      = { kube-dns = "v1.2.3-eksbuild.1" }
    account_id          = "12345"
  }

  expect_failures = [
    var.environment,
    var.project,
    var.region,
    var.core_zone,
    var.cluster_admin_roles,
    var.addon_versions,
    var.account_id,
  ]
}

run "refuses_what_image_repositories_cannot_be_called" {
  command = plan

  variables {
    project = "pangeo--hub"
  }

  expect_failures = [var.project]
}
