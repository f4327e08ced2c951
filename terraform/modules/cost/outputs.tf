output "bill_location" {
  description = "Where the exported bill is, for `pangeo-deploy cost ingest`."
  value       = "s3://${var.bill_bucket}/${var.bill_prefix}/${aws_bcmdataexports_export.bill.export[0].name}/"
}

output "alerts_topic" {
  description = "ARN of the topic that all alerts go to: of the budget, of odd costs, and of the hub."
  value       = aws_sns_topic.alerts.arn
}

output "monthly_budget_usd" {
  description = "The budget, in USD."
  value       = var.monthly_budget_usd
}
