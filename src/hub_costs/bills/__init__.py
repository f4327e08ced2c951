"""Bills: read every form, keep one table."""
