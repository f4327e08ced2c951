"""A notebook after a build: what it shows, what that depends on, and what it took."""

from dataclasses import dataclass
from typing import Any

from proof_book.identity.keys import Parts
from proof_book.identity.notebook_cache import Cost
from proof_book.identity.notebook_files import Notebook


@dataclass(frozen=True)
class Executed:
    """`content` is the notebook as written now, with its outputs; `why` it ran (empty: kept)."""

    notebook: Notebook
    content: Any
    parts: Parts
    cost: Cost
    why: tuple[str, ...]
