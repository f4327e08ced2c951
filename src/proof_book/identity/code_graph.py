"""Which of the project's files a piece of code may run: a static graph of imports.

The nodes are files of the packages in `src` and beside the notebooks, named relative to those
folders. What a file needs is read from its source, nothing is imported: imports at its top and
inside its functions; the modules that its strings name (`-m pangeo_deploy.x`, `import_module`,
`resources.files`); the files beside it that its strings name (a script or a configuration that it
starts); the data files of its folder. Where this cannot tell, it says everything: a result that is
computed again in vain costs a minute, a stale one costs the reader's trust.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

PROGRAM = "pangeo-deploy"  # whoever starts it may reach every module
_RUNNERS = ("Popen", "call", "check_call", "check_output", "popen", "run", "system", "which")
_MODULE = re.compile(r"\b[a-z]\w*(?:\.\w+)+")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

Graph = Mapping[str, frozenset[str]]


def source_folder() -> Path:
    """Return the folder of the packages that are running: the checkout's `src`."""
    import proof_book

    return Path(proof_book.__file__).resolve().parents[1]


def source_folders(project: Path) -> tuple[Path, ...]:
    """Return where the project's packages are: in its `src` (or ours) and beside its notebooks."""
    own = project / "src"
    return (own if own.is_dir() else source_folder(), project / "notebooks")


def packages(*folders: Path) -> dict[str, Path]:
    """Return the packages of `folders` by name, each with its folder."""
    return {
        file.parent.name: file.parent
        for folder in folders
        for file in sorted(folder.glob("*/__init__.py"))
    }


def files_of(*folders: Path) -> dict[str, Path]:
    """Return every file of the packages of `folders`, by its name relative to its folder."""
    return {
        file.relative_to(package.parent).as_posix(): file
        for package in packages(*folders).values()
        for file in sorted(package.rglob("*"))
        if file.is_file() and not hidden(file.relative_to(package).parts)
    }


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[str, Path, int, int], ...]) -> Graph:
    names = frozenset(name for name, *_ in files)
    data = {name for name in names if not name.endswith(".py")}
    graph = {}
    for name, file, *_ in files:
        if name in data:
            continue
        beside = {one for one in data if Path(one).parent == Path(name).parent}
        graph[name] = frozenset(beside | _needed(file.read_text(), names, name)) - {name}
    return graph | dict.fromkeys(data, frozenset())


def read_graph(*folders: Path) -> Graph:
    """Return what each file of the packages in `folders` needs itself, by file."""
    stats = [(name, file, file.stat()) for name, file in files_of(*folders).items()]
    return _read(tuple((name, file, one.st_mtime_ns, one.st_size) for name, file, one in stats))


def hidden(parts: Iterable[str]) -> bool:
    """Tell whether a path is where tools keep their own state; the workflows are the project's."""
    return any(
        part == "__pycache__" or (part.startswith(".") and part != ".github") for part in parts
    )


def reached(code: Iterable[str], graph: Graph) -> frozenset[str]:
    """Return the files that pieces of `code`, such as a notebook's cells, may run."""
    names = frozenset(graph)
    start = [_needed(piece, names) for piece in code]
    return closure(frozenset().union(*start), graph)


def closure(start: Iterable[str], graph: Graph) -> frozenset[str]:
    """Return `start` and all that it needs, directly or through others."""
    found: set[str] = set()
    waiting = set(start)
    while waiting:
        found |= waiting
        waiting = set().union(*(graph[name] for name in waiting)) - found
    return frozenset(found)


def module_file(module: str, names: Iterable[str]) -> str | None:
    """Return the file of `module` (`hub_costs.months`), or None if it is no module."""
    place = module.replace(".", "/")
    for name in (f"{place}.py", f"{place}/__init__.py"):
        if name in names:
            return name
    return None


def _needed(text: str, names: frozenset[str], file: str = "") -> frozenset[str]:
    """Return the files that `text` (that of `file`, if it is one) names in any of the ways."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a notebook's cell with magic commands: they may start anything
        return names
    found: set[str] = set()
    documentation: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and node.body and isinstance(node.body[0], ast.Expr):
            documentation.add(id(node.body[0].value))
        if isinstance(node, ast.Import):
            found.update(*(_modules(alias.name, names) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, file)
            found.update(*(_modules(f"{base}.{alias.name}", names) for alias in node.names))
        elif isinstance(node, ast.Constant) and id(node) not in documentation:
            found |= _named(node.value, names, file)
        elif _starts_the_program(node):
            return names
    return frozenset(found)


def _named(text: object, names: frozenset[str], file: str) -> set[str]:
    """Return the modules, and the files beside `file`, that a string names."""
    if not isinstance(text, str) or "." not in text:
        return set()
    found: set[str] = set()
    for match in _MODULE.finditer(text):
        found |= _modules(match.group(), names)
    if file and not text.startswith("/"):
        found |= {(Path(file).parent / text).as_posix()} & names
    return found


def _starts_the_program(node: ast.AST) -> bool:
    """Tell whether `node` is a command (a list), or the arguments of a call that runs one."""
    if isinstance(node, ast.List | ast.Tuple):
        return _is_the_program(node.elts[:1])
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return name in _RUNNERS and _is_the_program(node.args[:1])
    return False


def _is_the_program(nodes: list[ast.expr]) -> bool:
    return any(
        isinstance(one, ast.Constant) and str(one.value).split(" ")[0] == PROGRAM for one in nodes
    )


def _absolute(node: ast.ImportFrom, file: str) -> str:
    if not node.level:
        return node.module or ""
    parents = Path(file).parent.parts
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _modules(name: str, names: frozenset[str]) -> set[str]:
    """Return the files that importing `name`, a module or something in one, runs."""
    parts = name.split(".")
    chain = (module_file(".".join(parts[:end]), names) for end in range(1, len(parts) + 1))
    return {file for file in chain if file}
