"""Deploy, use, benchmark and pay for a Pangeo hub on AWS, or rehearse all of it on one machine."""

from pangeo_deploy import _moved  # noqa: F401 - old import paths name the new place

__all__ = ["deployment"]
