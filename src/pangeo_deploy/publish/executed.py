"""A notebook after a build: what it shows, what that depends on, and what it took."""

from dataclasses import dataclass
from typing import Any

from pangeo_deploy.publish.cache import Cost
from pangeo_deploy.publish.keys import Parts
from pangeo_deploy.publish.notebooks import Notebook


@dataclass(frozen=True)
class Executed:
    """`content` is the notebook as written now, with its outputs; `why` it ran (empty: kept)."""

    notebook: Notebook
    content: Any
    parts: Parts
    cost: Cost
    why: tuple[str, ...]
