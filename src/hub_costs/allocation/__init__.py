"""Give every cent of a bill an owner."""
