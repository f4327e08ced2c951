"""How numbers and configurations of benchmarks are written for people."""

from typing import Any


def name(configuration: dict[str, Any]) -> str:
    """Return what tells configurations apart for people: not all parameters differ."""
    shown = ("operation", "variant", "scheme", "chunk_mb", "dataset_mb", "nodes")
    return " ".join(str(configuration[name]) for name in shown if name in configuration)


def digits(value: float | None) -> str:
    """Return a number to three digits, nothing for none."""
    return "" if value is None else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval for people, or nothing where one run allows none."""
    if low is None or high is None or low != low:
        return ""
    return f"{digits(low)} to {digits(high)}"
