"""Run Terraform on a deployment: plan, apply, destroy, drift."""
