"""Act as a user of a hub, and keep it tidy: the smoke test and the janitor."""
