# What tells a deployment's cost from another's, who hears of it, and the bill in full.

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # The deployment's tag, that of a node's pool, which tells core nodes from users', and those that EKS
  # itself puts on what a namespace or pod costs.
  cost_tags = toset(concat(
    var.activate_cost_tags ? [var.tag_key, "pool"] : [],
    var.activate_eks_tags ? [
      "aws:eks:cluster-name",
      "aws:eks:namespace",
      "aws:eks:node",
      "aws:eks:workload-name",
      "aws:eks:workload-type",
    ] : [],
  ))
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_ce_cost_allocation_tag" "this" {
  for_each = local.cost_tags

  tag_key = each.key
  status  = "Active"
}

resource "aws_sns_topic" "alerts" {
  name         = "${var.name}-alerts"
  display_name = "Alerts of ${var.name}"
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "BudgetsAndAnomalies"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["budgets.amazonaws.com", "costalerts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_budgets_budget" "monthly" {
  # Named for what it watches: the provider does not take a filter away from a budget that has one,
  # and so makes another.
  name         = "${var.name}-${var.budget_scope}"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  dynamic "cost_filter" {
    for_each = var.budget_scope == "deployment" ? [format("user:%s$%s", var.tag_key, var.name)] : []

    content {
      name   = "TagKeyValue"
      values = [cost_filter.value]
    }
  }

  dynamic "notification" {
    for_each = var.budget_alerts_percent

    content {
      notification_type         = "ACTUAL"
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
    }
  }

  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
  }

  depends_on = [aws_sns_topic_policy.alerts]
}

# By tag: an account has only one monitor of all its services, which is not ours to take.
resource "aws_ce_anomaly_monitor" "this" {
  count = var.anomaly_usd == null ? 0 : 1

  name         = var.name
  monitor_type = "CUSTOM"
  monitor_specification = jsonencode({
    And            = null
    CostCategories = null
    Dimensions     = null
    Not            = null
    Or             = null
    Tags = {
      Key          = var.tag_key
      MatchOptions = null
      Values       = [var.name]
    }
  })
}

resource "aws_ce_anomaly_subscription" "this" {
  count = var.anomaly_usd == null ? 0 : 1

  name             = var.name
  frequency        = "IMMEDIATE"
  monitor_arn_list = [aws_ce_anomaly_monitor.this[0].arn]

  subscriber {
    type    = "SNS"
    address = aws_sns_topic.alerts.arn
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.anomaly_usd)]
    }
  }

  depends_on = [aws_sns_topic_policy.alerts]
}
