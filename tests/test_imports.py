"""Imports point down, nothing below the command line prints, CONTRIBUTING shows every package."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
        if not name.endswith("/__main__.py")  # a library's own small command line
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
            # What is printed to a file of its own (a pipe to a child) is not for a terminal.
            elsewhere = called == "print" and any(one.arg == "file" for one in node.keywords)
            told += (
                [called]
                if called in ("print", "sys.exit", "exit", "quit") and not elsewhere
                else []
            )
        elif isinstance(node, ast.Raise) and node.exc is not None:
            raised = ast.unparse(node.exc)
            told += [raised] if "SystemExit" in raised else []
    return told


def test_no_module_uses_what_another_keeps_private() -> None:
    """A leading underscore means: of this module alone, whoever the neighbour is."""
    used = [
        (name, what)
        for name, file in files_of(source_folder()).items()
        if name.endswith(".py")
        for what in _private_uses(ast.parse(file.read_text()))
        if what != "pangeo_deploy._moved"  # a module, imported for what it does
    ]
    ours = tuple(packages(source_folder()))
    assert [(name, what) for name, what in used if what.startswith(ours)] == []


def test_a_private_use_is_noticed() -> None:
    planted = "from hub_user import janitor\nfrom hub_user.user import _one, User\njanitor._two()\n"
    uses = set(_private_uses(ast.parse(planted)))
    assert uses == {"hub_user.user._one", "hub_user.janitor._two"}


def _private_uses(tree: ast.Module) -> Iterator[str]:
    """Yield the private names of other modules that are imported, or reached through a module."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                modules[alias.asname or alias.name] = full = f"{node.module}.{alias.name}"
                if _is_private(alias.name):
                    yield full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            holder = ast.unparse(node.value)
            if holder in modules and holder.islower():
                yield f"{modules[holder]}.{node.attr}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_contributing_shows_every_package(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text()
    assert [name for name in packages(source_folder()) if f"src/{name}/" not in text] == []


PLANTED = {
    "a library that knows pangeo_deploy": ("hub_costs/planted.py", "pangeo_deploy.deployment"),
    "two libraries that know each other": ("emulated_aws/planted.py", "local_hub.control"),
    "a core that knows a library": ("pangeo_core/planted.py", "hub_user.user"),
    "a target that knows the command line": (
        "pangeo_deploy/targets/planted.py",
        "pangeo_deploy.cli.console",
    ),
    "charts that know the targets": ("pangeo_deploy/charts/planted.py", "pangeo_deploy.targets"),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """The sources and the contracts, in a folder where something can be planted."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(project / "src", folder / "src", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(project / "pyproject.toml", folder)
    return folder


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what import-linter says of the sources in `folder`."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_down(copied: Path) -> None:
    done = linted(copied)
    assert done.returncode == 0, done.stdout


def test_planted_imports_break_the_contracts(copied: Path) -> None:
    for place, imported in PLANTED.values():
        (copied / "src" / place).write_text(f"import {imported}\n")
    done = linted(copied)
    assert done.returncode == 1
    for what, (place, imported) in PLANTED.items():
        importer = place.removesuffix(".py").replace("/", ".")
        assert f"{importer} -> {imported}" in done.stdout, what
