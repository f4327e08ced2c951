"""Below the command line nothing prints, and the map in CONTRIBUTING shows every package."""

import ast
from pathlib import Path

from proof_book.identity.code_graph import files_of, packages, source_folder

COMMAND_LINE = "pangeo_deploy/cli/"
# A child process has no caller to raise to: it ends with a code.
PROCESSES = {
    "proof_book/run/worker.py",
    "proof_book/run/processes.py",
    "pangeo_deploy/terraform/child.py",
}


def test_nothing_below_the_command_line_prints_or_exits() -> None:
    said = [
        (name, what)
        for name, file in files_of(source_folder()).items()
        if name.endswith(".py") and not name.startswith(COMMAND_LINE)
        for what in _speaks(file)
    ]
    assert [
        (name, what) for name, what in said if not (name in PROCESSES and "SystemExit" in what)
    ] == []


def _speaks(file: Path) -> list[str]:
    told: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            modules = names if isinstance(node, ast.Import) else [node.module or ""]
            told += [one for one in modules if one.split(".")[0] in ("rich", "typer", "click")]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            told += [called] if called in ("print", "sys.exit", "exit", "quit") else []
        elif isinstance(node, ast.Raise) and node.exc is not None:
            raised = ast.unparse(node.exc)
            told += [raised] if "SystemExit" in raised else []
    return told


def test_contributing_shows_every_package(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text()
    assert [name for name in packages(source_folder()) if f"src/{name}/" not in text] == []
