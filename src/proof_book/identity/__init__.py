"""What a notebook depends on, and the cache that keys on it."""
