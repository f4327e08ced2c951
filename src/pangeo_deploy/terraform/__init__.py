"""Run Terraform on a deployment: plan, apply, destroy, drift."""

__all__ = ["lifecycle", "sweep"]
