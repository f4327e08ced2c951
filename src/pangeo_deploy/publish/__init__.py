"""Execute the notebooks that changed, then render the book that shows their results."""

from pangeo_deploy.publish.build import BuildResult, build, explain
from pangeo_deploy.publish.freshness import Page
from pangeo_deploy.publish.freshness import check as status
from pangeo_deploy.publish.pdf import make as pdf
from pangeo_deploy.publish.versions import archive

__all__ = ["BuildResult", "Page", "archive", "build", "explain", "pdf", "status"]
