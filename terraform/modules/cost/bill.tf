# The bill: CUR 2.0 in parquet, hourly, with a row for each pod's share of its node, and the tags as
# columns of their own, which read several times faster than the map they come in.
#
# The pods' rows stay away until someone opts in to split cost allocation data for EKS, in the
# preferences of Cost Management of the account that pays: AWS has no API for that.

locals {
  columns = [
    "bill_bill_type", "bill_billing_entity", "bill_billing_period_end_date", "bill_billing_period_start_date",
    "bill_invoice_id", "bill_invoicing_entity", "bill_payer_account_id",
    "identity_line_item_id", "identity_time_interval",
    "line_item_availability_zone", "line_item_currency_code", "line_item_legal_entity",
    "line_item_line_item_description", "line_item_line_item_type", "line_item_net_unblended_cost",
    "line_item_operation", "line_item_product_code", "line_item_resource_id", "line_item_tax_type",
    "line_item_unblended_cost", "line_item_unblended_rate", "line_item_usage_account_id",
    "line_item_usage_amount", "line_item_usage_end_date", "line_item_usage_start_date", "line_item_usage_type",
    "pricing_public_on_demand_cost", "pricing_public_on_demand_rate", "pricing_purchase_option",
    "pricing_term", "pricing_unit",
    "product_from_region_code", "product_instance_type", "product_product_family", "product_region_code",
    "product_servicecode", "product_to_region_code", "product_usagetype",
    "reservation_effective_cost", "reservation_reservation_a_r_n",
    "reservation_unused_amortized_upfront_fee_for_billing_period", "reservation_unused_recurring_fee",
    "savings_plan_savings_plan_a_r_n", "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date", "savings_plan_used_commitment",
    "split_line_item_actual_usage", "split_line_item_net_split_cost", "split_line_item_net_unused_cost",
    "split_line_item_parent_resource_id", "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost", "split_line_item_reserved_usage",
    "split_line_item_split_cost", "split_line_item_split_usage", "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
  ]

  # Every tag that the allocation of costs reads: a test holds this list and that of
  # hub_costs/bills/export_columns.py against each other. In the map a tag of ours is `user_` and its
  # key in lower case, one of AWS's `aws_` with underscores.
  tag_columns = {
    tag_deployment                   = "user_${lower(var.tag_key)}"
    tag_pool                         = "user_pool"
    tag_hub                          = "user_hub"
    tag_node_purpose                 = "user_node_purpose"
    tag_hub_jupyter_org_node_purpose = "user_hub_jupyter_org_node_purpose"
    tag_hub_jupyter_org_username     = "user_hub_jupyter_org_username"
    tag_eks_nodegroup_name           = "user_eks_nodegroup_name"
    tag_eks_cluster_name             = "aws_eks_cluster_name"
    tag_eks_namespace                = "aws_eks_namespace"
    tag_eks_node                     = "aws_eks_node"
    tag_eks_workload_name            = "aws_eks_workload_name"
    tag_eks_workload_type            = "aws_eks_workload_type"
  }

  query = format(
    "SELECT %s FROM COST_AND_USAGE_REPORT",
    join(", ", concat(
      local.columns,
      [for column, key in local.tag_columns : "resource_tags.${key} AS ${column}"],
    )),
  )
}

resource "aws_bcmdataexports_export" "bill" {
  export {
    name        = "${var.name}-cur2"
    description = "The account's bill with the shares of pods, for ${var.name}"

    data_query {
      query_statement = local.query

      # All of the table's settings: AWS returns those that are left out, and the provider then finds
      # its own result inconsistent (hashicorp/terraform-provider-aws#42761, #43978) or replaces the
      # export at every apply (#46402).
      table_configurations = {
        COST_AND_USAGE_REPORT = {
          BILLING_VIEW_ARN                      = "arn:${local.partition}:billing::${local.account_id}:billingview/primary"
          INCLUDE_CAPACITY_RESERVATION_DATA     = "FALSE"
          INCLUDE_IAM_PRINCIPAL_DATA            = "FALSE"
          INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY = "FALSE"
          INCLUDE_RESOURCES                     = "TRUE"
          INCLUDE_SPLIT_COST_ALLOCATION_DATA    = "TRUE"
          TIME_GRANULARITY                      = "HOURLY"
        }
      }
    }

    destination_configurations {
      s3_destination {
        s3_bucket = var.bill_bucket
        s3_prefix = var.bill_prefix
        s3_region = var.bill_bucket_region

        s3_output_configurations {
          compression = "PARQUET"
          format      = "PARQUET"
          output_type = "CUSTOM"
          overwrite   = "OVERWRITE_REPORT"
        }
      }
    }

    refresh_cadence {
      frequency = "SYNCHRONOUS"
    }
  }
}
