"""Notebooks compute: what is constant about a result stands once, in `notebooks/results/`.

Counted is each line of code, not blank and no comment, of a call that publishes: `number`, `table`,
`figure`, by whatever name they are reached, and `declared`. The issue's bar is a fifth. What a
notebook computes for a result, such as a table's rows or a sentence that says in words what a
figure shows, is not boilerplate where it is a statement of its own.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
PUBLISHING = ("declared", "figure", "number", "table")
BAR = 0.2
# With the sentences for those who do not see a figure: not in the bar, and not to grow unseen.
WITH_SENTENCES = 0.25
MISSED = {
    "00-pages": 0.47,  # five results of one table, and hardly anything to compute
}


def code_of(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls that publish, with what they call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "id", getattr(function, "attr", ""))
            of = getattr(getattr(function, "value", None), "id", "figures")
            if name in PUBLISHING and of in ("figures", "results"):
                yield name, node


def lines(node: ast.AST) -> range:
    return range(node.lineno, (node.end_lineno or 0) + 1)  # type: ignore[attr-defined]


def share(cells: list[str], *, sentences: bool) -> float:
    whole, publishing = 0, 0
    for cell in cells:
        tree = ast.parse(cell)
        theirs = {line for _, call in calls(tree) for line in lines(call)}
        if sentences:
            said = [one for one in ast.walk(tree) if isinstance(one, ast.Assign)]
            theirs |= {
                line for one in said if ast.unparse(one.targets[0]) == "alt" for line in lines(one)
            }
        written = [
            number
            for number, line in enumerate(cell.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        whole += len(written)
        publishing += sum(number in theirs for number in written)
    return publishing / whole


def test_what_is_counted() -> None:
    cell = (
        "from proof_book.figures import declared\n\n# where captions are\n"
        'results = declared("results/x.yaml")\nx = frame.table("a")\nalt = (\n    "a"\n)\n'
        'results.number(\n    "y",\n    x,\n)\n'
    )
    assert share([cell], sentences=False) == 5 / 10
    assert share([cell], sentences=True) == 8 / 10


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_publishing_is_less_than_a_fifth_of_a_notebook(notebook: Path) -> None:
    cells = code_of(notebook)
    assert share(cells, sentences=False) < MISSED.get(notebook.stem, BAR)
    assert share(cells, sentences=True) < max(MISSED.get(notebook.stem, 0) + 0.1, WITH_SENTENCES)
    if notebook.stem in MISSED:
        assert share(cells, sentences=False) >= BAR, "it meets the bar: take it out of MISSED"


def file_of(notebook: Path) -> Path:
    return notebook.parent / "results" / f"{notebook.stem}.yaml"


DECLARING = [notebook for notebook in NOTEBOOKS if file_of(notebook).exists()]


def test_each_file_has_a_notebook() -> None:
    files = (PROJECT / "notebooks" / "results").iterdir()
    assert sorted(files) == [file_of(notebook) for notebook in DECLARING]


@pytest.mark.parametrize("notebook", DECLARING, ids=lambda path: path.stem)
def test_names_are_declared_and_used(notebook: Path) -> None:
    named: list[str] = []
    for cell in code_of(notebook):
        tree = ast.parse(cell)
        texts = {
            ast.unparse(one.targets[0]): one.value
            for one in ast.walk(tree)
            if isinstance(one, ast.Assign)
        }
        for name, call in calls(tree):
            if name == "declared":
                file = call.args[0]
                assert ast.literal_eval(file) == f"results/{notebook.stem}.yaml"
            elif ast.unparse(call.func).startswith("results."):
                first = call.args[0]
                named.append(pattern(texts.get(ast.unparse(first), first)))
    known = yaml.safe_load(file_of(notebook).read_text())["results"]
    used = {name: [one for one in named if re.fullmatch(one, name)] for name in known}
    assert [name for name, by in used.items() if not by] == [], "declared and not used"
    assert [one for one in named if not any(one in by for by in used.values())] == []
    assert len(named) == len(set(named))


def pattern(name: Any) -> str:
    """Return a regular expression for the names that an expression may have."""
    if isinstance(name, ast.JoinedStr):
        return "".join(
            re.escape(part.value) if isinstance(part, ast.Constant) else "[a-z-]+"
            for part in name.values
            if not isinstance(part, ast.Constant) or isinstance(part.value, str)
        )
    return re.escape(ast.literal_eval(name))


@pytest.mark.parametrize("notebook", DECLARING, ids=lambda path: path.stem)
def test_the_file_is_an_input_of_its_notebook(notebook: Path) -> None:
    """Otherwise a changed caption would leave the old page: the build refuses it as well."""
    inputs = json.loads(notebook.read_text())["metadata"]["pangeo_deploy"]["inputs"]
    assert file_of(notebook).relative_to(PROJECT).as_posix() in inputs
