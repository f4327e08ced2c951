"""Forecasts, anomalies, and the budget gate."""
