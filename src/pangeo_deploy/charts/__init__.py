"""Render, check and deploy the Helm charts."""

__all__ = ["check", "render", "values"]
