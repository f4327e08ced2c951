"""The static graph of imports: whatever a notebook can run is in its key."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pangeo_deploy.publish import notebooks, sources
from pangeo_deploy.publish.sources import reached, read_graph

FILES = {
    "__init__.py": "",
    "core.py": "",
    "lazy.py": "def f():\n    from pangeo_deploy.room import one\n",
    "room/__init__.py": "from . import two",
    "room/one.py": "from ..core import x",
    "room/two.py": "",
    "room/facts.json": "{}",
    "child.py": "import sys\nARGS = [sys.executable, '-m', 'pangeo_deploy.served.main']",
    "served/__init__.py": "",
    "served/main.py": "HERE.joinpath('settings.py')",
    "served/settings.py": "",
    "runs.py": "import subprocess\nsubprocess.run(['pangeo-deploy', 'plan'])",
    "says.py": '"""Like pangeo_deploy.room."""\nfix = "pangeo-deploy plan"',
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


WHOLE = {name for name in FILES if "/" in name or name == "core.py"}
REACHES = {
    "x = 1": set(),
    "import json, os": set(),
    "from pangeo_deploy import core": {"__init__.py", "core.py"},
    "import pangeo_deploy.core as c": {"__init__.py", "core.py"},
    # A folder's __init__ runs with any of its modules, and its data files count with them.
    "from pangeo_deploy.room.one import anything": {
        "__init__.py", "core.py", "room/__init__.py", "room/one.py", "room/two.py",
        "room/facts.json",
    },
    "def f():\n    import pangeo_deploy.lazy": {
        "__init__.py", "lazy.py", "core.py", "room/__init__.py", "room/one.py", "room/two.py",
        "room/facts.json",
    },
    "importlib.import_module('pangeo_deploy.room.two')": {
        "__init__.py", "room/__init__.py", "room/two.py", "room/facts.json",
    },
    "import pangeo_deploy.child": {
        "__init__.py", "child.py", "served/__init__.py", "served/main.py", "served/settings.py",
    },
    "import pangeo_deploy.says": {"__init__.py", "says.py"},
    "import pangeo_deploy.runs": set(FILES),
    "!pangeo-deploy plan staging": set(FILES),
}  # fmt: skip


@pytest.mark.parametrize("code", REACHES)
def test_what_a_cell_reaches(package: Path, code: str) -> None:
    assert set(reached([code], read_graph(package))) == REACHES[code]


def test_a_changed_import_changes_the_graph(package: Path) -> None:
    assert "core.py" not in reached(["import pangeo_deploy.served"], read_graph(package))
    (package / "served/__init__.py").write_text("import pangeo_deploy.core")
    assert "core.py" in reached(["import pangeo_deploy.served"], read_graph(package))


LOADED = "import sys; {code}; print(*[name for name in sys.modules if 'pangeo_deploy' in name])"


def test_it_knows_every_module_that_python_loads(project: Path) -> None:
    """The real package, and what the real notebooks import, against Python's own account."""
    graph = read_graph(sources.package_folder())
    imports = [
        node
        for book in notebooks.find(project)
        for cell in book.content.cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    code = "; ".join(sorted({ast.unparse(one) for one in imports if "pangeo" in ast.unparse(one)}))
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(loaded) > 40
    known = reached([code], graph)
    assert [name for name in loaded if not sources.module_file(name, known)] == []
    assert len(known) < len(graph)
