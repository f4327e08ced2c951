"""The rule of the house: `cli` -> rooms -> core, and below the command line nothing prints."""

import ast
from pathlib import Path

from proof_book.identity.code_graph import package_folder, read_graph

ROOT = package_folder()
SWITCH, STAND_IN, TOP = "targets.py", "rehearsal", "cli"
# A child process has no caller to raise to: it ends with a code.
PROCESSES = {"publish/worker.py", "publish/processes.py", "terraform/child.py"}


def room(file: str) -> str:
    """Return the room of a file of the package; a module of the core has none."""
    return file.split("/")[0] if "/" in file else ""


def imports() -> dict[str, set[str]]:
    """Return what each Python file imports or names, anywhere in it."""
    return {
        file: {other for other in needs if other.endswith(".py")}
        for file, needs in read_graph(ROOT).items()
        if file.endswith(".py")
    }


def wrong(file: str, other: str) -> str:
    """Return why `file` must not import `other`, or nothing."""
    mine, theirs = room(file), room(other)
    if file == SWITCH:
        return "" if theirs in ("", STAND_IN) else "the switch only knows the stand-in"
    if not mine:
        return "the core knows no room" if theirs else ""
    if mine == theirs:
        return ""
    if theirs == TOP:
        return "a room knows no command line"
    return f"only {SWITCH} may" if theirs == STAND_IN else ""


def test_imports_point_one_way() -> None:
    graph = imports()
    assert len(graph) > 150
    told = [(file, other, wrong(file, other)) for file in graph for other in graph[file]]
    assert [one for one in told if one[2]] == []


def test_the_rule_can_say_no() -> None:
    assert wrong("cost/bill.py", "cli/cost.py")
    assert wrong("files.py", "cost/bill.py")
    assert wrong("hub/user.py", "rehearsal/hub.py")
    assert not wrong("cli/cost.py", "cost/bill.py")


def test_nothing_below_the_command_line_prints_or_exits() -> None:
    told = [
        (file, what) for file in imports() if room(file) != TOP for what in _speaks(ROOT / file)
    ]
    assert [one for one in told if not (one[0] in PROCESSES and "SystemExit" in one[1])] == []


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


def test_contributing_shows_every_room(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text()
    rooms = {room(file) for file in imports()} - {""}
    assert [name for name in sorted(rooms) if f"src/pangeo_deploy/{name}/" not in text] == []
