"""Execute the notebooks that changed."""
