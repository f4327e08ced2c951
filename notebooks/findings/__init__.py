"""Findings about published data that the notebooks state: headlines, methods, validations."""
