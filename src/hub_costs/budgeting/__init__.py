"""Forecasts, anomalies, and the budget gate."""

__all__ = ["anomalies", "budget_gate", "forecast"]
