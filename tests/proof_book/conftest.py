"""A small project with the real book's settings and two notebooks, built once and copied."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

import proof_book as publish
from tests.conftest import PROJECT

MIME = "application/vnd.pangeo-deploy.result+json"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 8V{height}"/></svg>'

NUMBER = """
from pathlib import Path
from IPython.display import display
from pangeo_core.origin import RESULT

text = Path("../data/amount.txt").read_text().strip()
display({RESULT: {"kind": "number", "name": "amount", "origin": "published", "caption":
"What the hub cost.", "sources": ["data/amount.txt"], "text": text + " USD", "value": text,
"unit": "USD"}, "text/plain": text}, raw=True)
"""

FIGURE = {
    "kind": "figure",
    "name": "bars",
    "origin": "sample",
    "caption": "One bar.",
    "alt": "One bar, which is as high as the page.",
    "sources": ["made up"],
    "data": "a,b\n1,2\n",
    "light": SVG.format(height=1),
    "dark": SVG.format(height=2),
}

# What differs between machines and runs unless it is taken out.
MACHINE = """
import os, sys, tempfile, warnings

print(os.getcwd(), sys.prefix, tempfile.gettempdir(), os.path.expanduser("~"), object())
print(os.environ.get("PYTHONHASHSEED"), os.environ.get("TZ"), os.environ.get("AWS_PROFILE"))
for piece in range(50):
    print(piece, end="", flush=piece % 7 == 0)
warnings.warn("a warning names its file")
"""

PAGE = """# The book

It cost {value}`02-money/amount`.

```{result} 01-shape/bars
```
"""


def code(source: str, tags: tuple[str, ...] = ()) -> Any:
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def show(bundle: dict[str, Any]) -> str:
    return f"from IPython.display import display\ndisplay({{{MIME!r}: {bundle!r}}}, raw=True)"


def write_notebook(
    project: Path, name: str, cells: list[Any], inputs: tuple[str, ...] = ()
) -> None:
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "pangeo_deploy": {"inputs": list(inputs)},
    }
    notebook = nbformat.v4.new_notebook(metadata=metadata, cells=cells)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    (project / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, project / "notebooks" / f"{name}.ipynb")


@dataclass(frozen=True)
class Project:
    """A project's folder and what the tests do with it."""

    path: Path

    @property
    def html(self) -> Path:
        return self.path / "_build" / "html"

    def build(self, **options: Any) -> publish.BuildResult:
        return publish.build(self.path, **options)

    def write(self, file: str, text: str) -> None:
        (self.path / file).parent.mkdir(parents=True, exist_ok=True)
        (self.path / file).write_text(text)

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        self.write(file, change((self.path / file).read_text()))

    def edit_cell(self, name: str, number: int, source: str) -> None:
        path = self.path / "notebooks" / f"{name}.ipynb"
        notebook = json.loads(path.read_text())
        notebook["cells"][number]["source"] = source
        path.write_text(json.dumps(notebook))

    def pages(self) -> dict[str, bytes]:
        """Return the whole book, every file of it."""
        return tree(self.html)


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def make_project(path: Path) -> Project:
    project = Project(path)
    toc = {"format": "jb-book", "root": "index"}
    chapters = [{"file": "notebooks/01-shape"}, {"file": "notebooks/02-money"}]
    project.write("_toc.yml", json.dumps({**toc, "chapters": chapters}))
    shutil.copy(PROJECT / "_config.yml", path)
    for folder in ("_static", "_templates"):
        shutil.copytree(PROJECT / "book" / folder, path / "book" / folder)
    project.write("book/index.md", PAGE)
    project.write("requirements.lock", "one==1\n")
    project.write("data/amount.txt", "12\n")
    prose = nbformat.v4.new_markdown_cell
    write_notebook(path, "01-shape", [prose("# Shape"), code(show(FIGURE)), code(MACHINE)])
    write_notebook(
        path,
        "02-money",
        [prose("# Money"), code("factor = 1", ("parameters",)), code(NUMBER)],
        ("data",),
    )
    return project


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("built"))
    result = project.build()
    assert result.executed == ("01-shape", "02-money")
    return project


@pytest.fixture
def built(built_once: Project, tmp_path: Path) -> Project:
    """A project with its book and cache, the test's own to change."""
    shutil.copytree(built_once.path, tmp_path / "project")
    return Project(tmp_path / "project")
