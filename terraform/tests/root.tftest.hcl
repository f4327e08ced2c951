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
    condition     = output.cluster.version == "1.35" && output.cluster.end_of_standard_support == "2027-03-27"
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

run "refuses_a_bad_environment" {
  command = plan

  variables {
    environment = "Prod_1"
  }

  expect_failures = [var.environment]
}

run "refuses_a_bad_project" {
  command = plan

  variables {
    project = "a-name-that-is-too-long-for-a-bucket"
  }

  expect_failures = [var.project]
}

run "refuses_a_bad_region" {
  command = plan

  variables {
    region = "Oregon"
  }

  expect_failures = [var.region]
}

run "refuses_a_core_zone_elsewhere" {
  command = plan

  variables {
    core_zone = "us-west-2d"
  }

  expect_failures = [var.core_zone]
}

run "refuses_arns_for_role_names" {
  command = plan

  variables {
    cluster_admin_roles = ["arn:aws:iam::123456789012:role/x"]
  }

  expect_failures = [var.cluster_admin_roles]
}

run "refuses_an_unknown_addon" {
  command = plan

  variables {
    addon_versions = { kube-dns = "v1.2.3-eksbuild.1" }
  }

  expect_failures = [var.addon_versions]
}
