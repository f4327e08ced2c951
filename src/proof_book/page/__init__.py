"""From executed notebooks to pages that show where each result comes from."""
