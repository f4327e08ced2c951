"""Render, check and deploy the Helm charts."""
