"""What it costs and who caused it."""

__all__ = ["machines", "months"]
