"""What a plan will cost, from dated prices."""

__all__ = ["estimate", "prices", "reconcile"]
