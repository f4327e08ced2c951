# What people work on: survives the loss of a zone, keeps nodes off the internet.

environment = "prod"

vpc_cidr = "10.20.0.0/16"
zones = {
  us-west-2a = { public_cidr = "10.20.0.0/20", private_cidr = "10.20.64.0/19" }
  us-west-2b = { public_cidr = "10.20.16.0/20", private_cidr = "10.20.96.0/19" }
  us-west-2c = { public_cidr = "10.20.32.0/20", private_cidr = "10.20.128.0/19" }
}
nat = "single"

homes_backup = true

permissions_boundary = "pangeo-workload-boundary"
cluster_admin_roles  = ["pangeo-prod-apply"]
log_retention_days   = 90

core_instance_type = "m6a.large"
core_nodes         = 2

# The whole account's, so that nothing escapes.
monthly_budget_usd = 1500

# The tags are the account's too. Turn this on a day after the first apply: until then AWS does not
# know them, and refuses.
activate_cost_tags = false
