# Who may take which role, and that the state is kept.

variables {
  github_repository = "example/hub"
}

run "by_name" {
  command = plan

  variables {
    github_repository = "example/hub"
  }

  assert {
    condition     = toset(output.roles["pangeo-plan"]) == toset(["repo:example/hub:pull_request", "repo:example/hub:ref:refs/heads/main"])
    error_message = "Pull requests and the main branch may read."
  }

  assert {
    condition     = output.roles["pangeo-staging-apply"] == ["repo:example/hub:environment:staging"]
    error_message = "Only a job of the environment may apply to it."
  }

  assert {
    condition     = aws_iam_role.plan.permissions_boundary == null && length(aws_iam_role.apply) == 2
    error_message = "One apply role an environment."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "A state that was overwritten could not be had back."
  }

  assert {
    condition     = strcontains(output.backends["prod"], "use_lockfile = true")
    error_message = "Two applies at once would overwrite each other's state."
  }
}

run "by_number" {
  command = plan

  variables {
    github_repository     = "example/hub"
    github_repository_ids = { owner = 123456, repository = 456789 }
  }

  assert {
    condition     = toset(output.roles["pangeo-staging-apply"]) == toset(["repo:example/hub:environment:staging", "repo:example@123456/hub@456789:environment:staging"])
    error_message = "Both forms of the subject are trusted, whichever GitHub sends."
  }
}

run "where_the_provider_exists" {
  command = plan

  variables {
    create_oidc_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has only one."
  }
}

run "refuses_wrong_values" {
  command = plan

  variables {
    github_repository     = "example/*"
    main_branch           = "*"
    environments          = ["plan"]
    github_repository_ids = { owner = 0, repository = 1 }
  }

  expect_failures = [
    var.github_repository,
    var.main_branch,
    var.environments,
    var.github_repository_ids,
  ]
}
