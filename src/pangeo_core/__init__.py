"""What every package here shares: errors, whole-file writes, progress, origin labels."""

__all__ = ["errors", "files"]
