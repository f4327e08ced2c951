"""What a plan will cost, from dated prices."""
