"""Execute the notebooks that changed, then render the book that shows their results."""

from pangeo_deploy.publish.build import BuildResult, build

__all__ = ["BuildResult", "build"]
