"""Benchmarks that can be believed: workloads, how they are measured, and what the runs say."""
