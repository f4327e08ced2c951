"""The reference lists what packages export, and only that."""

import ast
from pathlib import Path

from proof_book.identity.code_graph import source_folder
from proof_book.page.sphinx_api import packages

EXPECTED = (
    *("dask_bench", "emulated_aws", "hub_user", "local_hub", "proof_book", "proof_book.figures"),
    *(f"hub_costs.{part}" for part in ("allocation", "bills", "budgeting", "estimates", "usage")),
    *("hub_costs", "hub_costs.whatif", "pangeo_core", "pangeo_deploy"),
    *(f"pangeo_deploy.{part}" for part in ("charts", "delivery", "targets", "terraform")),
)
FILES = {
    "tool/__init__.py": '"""A tool."""\n'
    "from tool.parts import Part as Piece, build\n"
    '__all__ = ["LIMIT", "Piece", "build", "measures", "own"]\n'
    "LIMIT = 3\n"
    'def own():\n    """Return three."""\n'
    'def hidden():\n    """Return four."""\n',
    "tool/parts.py": "from tool.deep import build\n"
    'class Part:\n    """A part."""\n'
    'def other():\n    """Not exported."""\n',
    "tool/measures.py": '__all__ = ["length"]\n'
    'def length():\n    """Return a length."""\n'
    'def width():\n    """Return a width."""\n',
    "tool/deep.py": 'def build():\n    """Build."""\n',
    "empty/__init__.py": '"""Exports nothing."""\n',
}


def test_what_is_exported_is_listed_through_imports(tmp_path: Path) -> None:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (package,) = packages(tmp_path)
    assert (package.name, package.about) == ("tool", "A tool.")
    assert list(package.public) == ["Piece", "build", "measures.length", "own"]
    assert ast.get_docstring(package.public["build"]) == "Build."


def test_a_person_can_find_something_in_it() -> None:
    """One heading for each package and each name that it exports: fewer than 150."""
    listed = list(packages(source_folder()))
    assert set(EXPECTED) <= {one.name for one in listed}
    assert sum(1 + len(one.public) for one in listed) < 150
