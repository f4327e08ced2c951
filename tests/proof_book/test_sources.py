"""The static graph of imports: whatever a notebook can run is in its key."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from proof_book.identity import code_graph, notebook_files
from proof_book.identity.code_graph import reached, read_graph

FILES = {
    "pangeo_deploy/__init__.py": "",
    "pangeo_deploy/core.py": "",
    "pangeo_deploy/lazy.py": "def f():\n    from pangeo_deploy.room import one\n",
    "pangeo_deploy/room/__init__.py": "from . import two",
    "pangeo_deploy/room/one.py": "from ..core import x",
    "pangeo_deploy/room/two.py": "",
    "pangeo_deploy/room/facts.json": "{}",
    "pangeo_deploy/child.py": "import sys\nARGS = [sys.executable, '-m', "
    "'pangeo_deploy.served.main']",
    "pangeo_deploy/served/__init__.py": "",
    "pangeo_deploy/served/main.py": "HERE.joinpath('settings.py')",
    "pangeo_deploy/served/settings.py": "",
    "pangeo_deploy/runs.py": "import subprocess\nsubprocess.run(['pangeo-deploy', 'plan'])",
    "pangeo_deploy/says.py": '"""Like pangeo_deploy.room."""\nfix = "pangeo-deploy plan"',
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


WHOLE = {name for name in FILES if "/" in name or name == "pangeo_deploy/core.py"}
REACHES = {
    "x = 1": set(),
    "import json, os": set(),
    "from pangeo_deploy import core": {"pangeo_deploy/__init__.py", "pangeo_deploy/core.py"},
    "import pangeo_deploy.core as c": {"pangeo_deploy/__init__.py", "pangeo_deploy/core.py"},
    # A folder's __init__ runs with any of its modules, and its data files count with them.
    "from pangeo_deploy.room.one import anything": {
        "pangeo_deploy/__init__.py",
        "pangeo_deploy/core.py",
        "pangeo_deploy/room/__init__.py",
        "pangeo_deploy/room/one.py",
        "pangeo_deploy/room/two.py",
        "pangeo_deploy/room/facts.json",
    },
    "def f():\n    import pangeo_deploy.lazy": {
        "pangeo_deploy/__init__.py",
        "pangeo_deploy/lazy.py",
        "pangeo_deploy/core.py",
        "pangeo_deploy/room/__init__.py",
        "pangeo_deploy/room/one.py",
        "pangeo_deploy/room/two.py",
        "pangeo_deploy/room/facts.json",
    },
    "importlib.import_module('pangeo_deploy.room.two')": {
        "pangeo_deploy/__init__.py",
        "pangeo_deploy/room/__init__.py",
        "pangeo_deploy/room/two.py",
        "pangeo_deploy/room/facts.json",
    },
    "import pangeo_deploy.child": {
        "pangeo_deploy/__init__.py",
        "pangeo_deploy/child.py",
        "pangeo_deploy/served/__init__.py",
        "pangeo_deploy/served/main.py",
        "pangeo_deploy/served/settings.py",
    },
    "import pangeo_deploy.says": {"pangeo_deploy/__init__.py", "pangeo_deploy/says.py"},
    "import pangeo_deploy.runs": set(FILES),
    "!pangeo-deploy plan staging": set(FILES),
}


@pytest.mark.parametrize("code", REACHES)
def test_what_a_cell_reaches(package: Path, code: str) -> None:
    assert set(reached([code], read_graph(package))) == REACHES[code]


def test_a_changed_import_changes_the_graph(package: Path) -> None:
    assert "pangeo_deploy/core.py" not in reached(
        ["import pangeo_deploy.served"], read_graph(package)
    )
    (package / "pangeo_deploy/served/__init__.py").write_text("import pangeo_deploy.core")
    assert "pangeo_deploy/core.py" in reached(["import pangeo_deploy.served"], read_graph(package))


LOADED = (
    "import sys; {code}; print(*[name for name in sys.modules if name.split('.')[0] in {ours}])"
)


def test_it_knows_every_module_that_python_loads(project: Path) -> None:
    """The real package, and what the real notebooks import, against Python's own account."""
    folders = code_graph.source_folders(project)
    graph, ours = read_graph(*folders), set(code_graph.packages(*folders))
    imports = [
        node
        for book in notebook_files.find(project)
        for cell in book.content.cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    code = "; ".join(
        sorted(
            {text for one in imports if (text := ast.unparse(one)).split()[1].split(".")[0] in ours}
        )
    )
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code, ours=ours)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(loaded) > 40
    known = reached([code], graph)
    assert [name for name in loaded if not code_graph.module_file(name, known)] == []
    assert len(known) < len(graph)
