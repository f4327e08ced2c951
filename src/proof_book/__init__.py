"""Execute the notebooks that changed, then render the book that shows their results."""

from proof_book.identity.freshness import Page
from proof_book.identity.freshness import check as status
from proof_book.page.pdf import make as pdf
from proof_book.page.versions import archive
from proof_book.run.build import BuildResult, build, explain

__all__ = ["BuildResult", "Page", "archive", "build", "explain", "pdf", "status"]
