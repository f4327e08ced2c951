"""What it costs and who caused it."""
