# Alerts, the bill's export and whose costs they watch.

provider "aws" {
  region = "us-west-2"
}

variables {
  name               = "pangeo-test"
  monthly_budget_usd = 100
  bill_bucket        = "pangeo-test-bills-123456789012"
  bill_bucket_region = "us-west-2"
}

run "without_a_choice" {
  command = plan

  module {
    source = "./modules/cost"
  }

  assert {
    # What it is filtered by without a filter is AWS's to say, and known after apply.
    condition     = aws_budgets_budget.monthly.limit_amount == "100" && aws_budgets_budget.monthly.name == "pangeo-test-account"
    error_message = "The budget is the one figure, and watches the whole account."
  }

  assert {
    condition = toset([
      for one in aws_budgets_budget.monthly.notification : "${one.notification_type} ${one.threshold}"
    ]) == toset(["ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"])
    error_message = "Alerts at 50, 80 and 100 % spent, and when all of it is forecast."
  }

  assert {
    condition     = length(aws_ce_cost_allocation_tag.this) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "Nothing that is the account's is changed, and nobody is written to."
  }

  assert {
    condition     = strcontains(aws_bcmdataexports_export.bill.export[0].data_query[0].query_statement, "resource_tags.user_deployment AS tag_deployment")
    error_message = "The deployment's tag is a column of its own."
  }

  assert {
    condition     = aws_bcmdataexports_export.bill.export[0].data_query[0].table_configurations["COST_AND_USAGE_REPORT"]["INCLUDE_SPLIT_COST_ALLOCATION_DATA"] == "TRUE"
    error_message = "The bill has a row for each pod."
  }

  assert {
    condition = toset(keys(aws_bcmdataexports_export.bill.export[0].data_query[0].table_configurations["COST_AND_USAGE_REPORT"])) == toset([
      "BILLING_VIEW_ARN", "INCLUDE_CAPACITY_RESERVATION_DATA", "INCLUDE_IAM_PRINCIPAL_DATA",
      "INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY", "INCLUDE_RESOURCES", "INCLUDE_SPLIT_COST_ALLOCATION_DATA", "TIME_GRANULARITY",
    ])
    error_message = "AWS fills in a setting that is left out, and the provider replaces the export for it."
  }
}

run "one_deployment_of_several" {
  command = plan

  module {
    source = "./modules/cost"
  }

  variables {
    budget_scope       = "deployment"
    alert_emails       = ["hub@example.org"]
    activate_cost_tags = true
    activate_eks_tags  = true
  }

  assert {
    condition     = one(aws_budgets_budget.monthly.cost_filter).values == tolist(["user:deployment$pangeo-test"])
    error_message = "The budget watches what carries the deployment's tag."
  }

  assert {
    condition     = contains(keys(aws_ce_cost_allocation_tag.this), "deployment") && length(aws_sns_topic_subscription.email) == 1
    error_message = "The tag is active, and the address is written to."
  }
}

run "in_an_organisation" {
  command = plan

  module {
    source = "./modules/cost"
  }

  variables {
    anomaly_usd = null
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.this) == 0 && length(aws_ce_anomaly_subscription.this) == 0
    error_message = "AWS would refuse a monitor by tag to a member account."
  }
}

run "refuses_wrong_values" {
  command = plan

  module {
    source = "./modules/cost"
  }

  variables {
    monthly_budget_usd    = 0
    budget_scope          = "team"
    budget_alerts_percent = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    alert_emails          = ["nobody"]
    anomaly_usd           = 0
    bill_prefix           = "/cur2/"
  }

  expect_failures = [
    var.monthly_budget_usd,
    var.budget_scope,
    var.budget_alerts_percent,
    var.alert_emails,
    var.anomaly_usd,
    var.bill_prefix,
  ]
}
