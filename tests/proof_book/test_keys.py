"""What a notebook's results depend on: exactly what must run again when something changes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pangeo_core.errors import BadInput
from proof_book.identity import keys, notebook_cache, notebook_files
from proof_book.identity.code_graph import source_folder
from proof_book.run.build import longest_first
from tests.proof_book.conftest import Project, code, make_project, write_notebook

SHAPE, MONEY = "01-shape", "02-money"
KEYS = """
import sys
from pathlib import Path
from proof_book.identity import keys, notebook_files
project = Path(sys.argv[1])
for notebook in notebook_files.find(project):
    print(keys.key_of(keys.parts_of(notebook, project)))
"""


@pytest.fixture
def small(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def keys_of(project: Path) -> dict[str, str]:
    return {
        notebook.name: keys.key_of(keys.parts_of(notebook, project))
        for notebook in notebook_files.find(project)
    }


def age(project: Project) -> None:
    for path in project.path.rglob("*"):
        os.utime(path, (9, 9))


CHANGES: dict[str, tuple[Callable[[Project], None], set[str]]] = {
    "code": (lambda p: p.edit_cell(SHAPE, 1, "1"), {SHAPE}),
    "a data file": (lambda p: p.write("data/amount.txt", "13"), {MONEY}),
    "a new data file": (lambda p: p.write("data/deep/more.txt", ""), {MONEY}),
    "a renamed data file": (
        lambda p: (p.path / "data/amount.txt").rename(p.path / "data/sum.txt") and None,
        {MONEY},
    ),
    "the lock": (lambda p: p.write("requirements.lock", "one==2\n"), {SHAPE, MONEY}),
    "prose": (lambda p: p.edit_cell(SHAPE, 0, "# A new heading"), set()),
    "a page": (lambda p: p.write("book/index.md", "# Another"), set()),
    "a hidden file": (lambda p: p.write("data/.cache/state", "1"), set()),
    "the clock": (age, set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_touches_exactly_its_dependants(small: Project, change: str) -> None:
    make, dependants = CHANGES[change]
    before = keys_of(small.path)
    make(small)
    after = keys_of(small.path)
    assert {name for name in before if before[name] != after[name]} == dependants


def test_the_place_does_not_count(small: Project, tmp_path: Path) -> None:
    other = make_project(tmp_path / "another" / "clone")
    assert keys_of(other.path) == keys_of(small.path)


def test_only_the_modules_that_a_notebook_imports_count(small: Project, tmp_path: Path) -> None:
    """Wherever the package is: a copy gives the same keys, and a change only those it must."""
    copy = tmp_path / "elsewhere" / "src"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source_folder(), copy, ignore=ignore)
    path = os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])

    def apart() -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", KEYS, str(small.path)],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "3"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()

    before = list(keys_of(small.path).values())
    assert apart() == before
    for module, changed in {
        "hub_costs/bills/table.py": [False, False],  # nobody here imports it
        "pangeo_core/origin.py": [False, True],  # 02-money does
        "proof_book/identity/normalise_outputs.py": [
            True,
            True,
        ],  # it decides what is kept of every notebook
    }.items():
        with (copy / module).open("a") as file:
            file.write("\n# another line\n")
        after = apart()
        assert [one != other for one, other in zip(before, after, strict=True)] == changed, module
        before = after


def test_parameters_count(small: Project) -> None:
    one, two = (
        notebook_files.find(small.path, {MONEY: {"factor": factor}})[1] for factor in (1, 2)
    )
    parts = [keys.parts_of(notebook, small.path) for notebook in (one, two)]
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == {"parameter"}
    with pytest.raises(BadInput, match="03-none"):
        notebook_files.find(small.path, {"03-none": {}})


@pytest.mark.parametrize("pattern", ["data/*.parquet", "../outside", "/etc/hostname"])
def test_an_input_that_cannot_be_is_named(small: Project, pattern: str) -> None:
    write_notebook(small.path, MONEY, [code("1")], (pattern,))
    with pytest.raises(BadInput) as raised:
        keys_of(small.path)
    assert pattern in raised.value.what
    assert "02-money" in raised.value.what


def test_what_is_no_notebook_is_named(small: Project, tmp_path: Path) -> None:
    small.write("notebooks/02-money.ipynb", '{"cells": ')
    with pytest.raises(BadInput, match=r"02-money\.ipynb is not a readable notebook"):
        notebook_files.find(small.path)
    with pytest.raises(BadInput, match="holds no notebooks"):
        notebook_files.find(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "not an entry", "absent"])
def test_a_damaged_entry_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[code("12 + 1")])
    parts = {"code": {"cell 1": "x"}}
    entry = notebook_cache.Entry(
        notebook, notebook_cache.Cost(1.5, 80.0), {"data/made.csv": b"a\n\xff"}
    )
    notebook_cache.store(tmp_path, "one", parts, entry)
    assert notebook_cache.load(tmp_path, "one", parts) == entry
    assert notebook_cache.load(tmp_path, "one", {"code": {"cell 1": "y"}}) is None
    file = next(tmp_path.iterdir())
    content = file.read_text()
    harm = {
        "cut": content[: len(content) // 2],
        "changed": content.replace("12 + 1", "12 + 2"),
        "emptied": "",
        "not an entry": "[]",
    }
    if damage == "absent":
        file.unlink()
    else:
        file.write_text(harm[damage])
    assert notebook_cache.load(tmp_path, "one", parts) is None
    assert notebook_cache.why_missing(tmp_path, "one", parts)


def test_the_cache_does_not_grow_without_end(tmp_path: Path) -> None:
    runs = [{"input": {"data/a.csv": str(number)}} for number in range(notebook_cache.KEPT + 5)]
    for number, parts in enumerate(runs):
        entry = notebook_cache.Entry(nbformat.v4.new_notebook(), notebook_cache.Cost(1, 1))
        notebook_cache.store(tmp_path, "one", parts, entry)
        os.utime(tmp_path / f"one-{keys.key_of(parts)[:32]}.json", (number, number))
    assert len(list(tmp_path.iterdir())) == notebook_cache.KEPT
    assert notebook_cache.load(tmp_path, "one", runs[-1]) is not None
    assert notebook_cache.load(tmp_path, "one", runs[0]) is None


def test_the_longest_notebook_begins_first(small: Project) -> None:
    """By its last kept run, else as recorded; one that never ran may be the longest."""
    folder = small.path / "kept"

    def begun() -> list[str]:
        books = notebook_files.find(small.path)
        return [book.name for book in longest_first(books, folder, small.path)]

    def ran(name: str, seconds: float) -> None:
        entry = notebook_cache.Entry(nbformat.v4.new_notebook(), notebook_cache.Cost(seconds, 1))
        notebook_cache.store(folder, name, {"code": {"": str(seconds)}}, entry)

    assert begun() == [SHAPE, MONEY]
    small.write("data/notebook_costs.csv", f"notebook,seconds\n{SHAPE},5.0\n")
    assert begun() == [MONEY, SHAPE]
    small.write("data/notebook_costs.csv", f"notebook,seconds\n{SHAPE},5.0\n{MONEY},4.0\n")
    assert begun() == [SHAPE, MONEY]
    ran(MONEY, 6.0)
    assert begun() == [MONEY, SHAPE]
    ran(SHAPE, 7.0)
    assert begun() == [SHAPE, MONEY]
    next(folder.glob(f"{SHAPE}-*")).write_text("{")
    assert begun() == [MONEY, SHAPE]


@given(st.lists(st.sampled_from("mc"), max_size=8), st.integers(0, 8), st.booleans())
def test_outputs_find_their_cells_again(kinds: list[str], at: int, injected: bool) -> None:
    """Whatever prose stands between the code, and wherever papermill put its cell."""

    def cells(prose: str) -> list[object]:
        return [
            code(f"cell {number}") if kind == "c" else nbformat.v4.new_markdown_cell(prose)
            for number, kind in enumerate(kinds)
        ]

    source = notebook_files.Notebook(Path("x.ipynb"), nbformat.v4.new_notebook(cells=cells("new")))
    ran = nbformat.v4.new_notebook(cells=cells("old"))
    for cell in ran.cells:
        if cell.cell_type == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": cell.source}]
    if injected:
        ran.cells.insert(min(at, len(ran.cells)), code("p = 1", ("injected-parameters",)))
    grafted = notebook_files.graft(source, ran)
    own = [
        cell for cell in grafted.cells if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    assert [cell.source for cell in own] == [cell.source for cell in source.content.cells]
    assert all(cell.outputs[0]["text"] == cell.source for cell in own if cell.cell_type == "code")
    assert len(grafted.cells) == len(kinds) + injected
