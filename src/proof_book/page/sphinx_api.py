"""Sphinx extension: the reference of the packages, from their `__all__` and their docstrings.

    ```{api-reference}
    ```

What a package's `__init__` names in `__all__` is public, and if that is a module, what the module
names in its own. Nothing else is listed. The sources are read, not imported: boto3, moto and Dask
would load in the process that renders.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from proof_book.identity.code_graph import files_of, source_folder
from proof_book.page.sphinx_nodes import code, definitions, paragraphs, section

Callable = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Callable | ast.ClassDef


class Package(NamedTuple):
    """A package with something public: its dotted name, its docstring, its public definitions."""

    name: str
    about: str
    public: dict[str, Documented]


class ApiReference(SphinxDirective):
    """List what each package exports: functions and classes, with signatures and docstrings."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return a section for each package."""
        return [_section(package) for package in packages(source_folder())]


def packages(root: Path) -> Iterator[Package]:
    """Yield each package below `root` that exports functions or classes, read from its sources."""
    files = files_of(root)
    trees = {name: ast.parse(file.read_text()) for name, file in files.items() if _is_code(name)}
    for name, tree in sorted(trees.items()):
        public = dict(_public(name, trees)) if name.endswith("/__init__.py") else {}
        if public:
            dotted = name.removesuffix("/__init__.py").replace("/", ".")
            yield Package(dotted, ast.get_docstring(tree) or "", public)


def _public(file: str, trees: dict[str, ast.Module]) -> Iterator[tuple[str, Documented]]:
    """Yield what a package exports, and as `module.name` what the modules that it exports do."""
    for name in _exported(trees[file]):
        module = f"{file.removesuffix('__init__.py')}{name}.py"
        if (node := _find(name, file, trees)) is not None:
            yield name, node
        elif module in trees:
            yield from ((f"{name}.{inner}", node) for inner, node in _public(module, trees))


def _is_code(name: str) -> bool:
    return name.endswith(".py")


def _exported(tree: ast.Module) -> list[str]:
    """Return the names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _find(name: str, file: str, trees: dict[str, ast.Module]) -> Documented | None:
    """Return the definition that `name` stands for in `file`, through imports; None for a value."""
    for node in ast.walk(trees[file]):
        if isinstance(node, Documented) and node.name == name:
            return node if ast.get_docstring(node) else None
        if isinstance(node, ast.ImportFrom) and node.module:
            origin = node.module.replace(".", "/")
            for alias in node.names:
                if (alias.asname or alias.name) != name:
                    continue
                for source in (f"{origin}.py", f"{origin}/__init__.py"):
                    if source in trees and source != file:
                        return _find(alias.name, source, trees)
    return None


def _public_members(node: ast.ClassDef) -> Iterator[Documented]:
    for one in node.body:
        if isinstance(one, Documented) and not one.name.startswith("_") and ast.get_docstring(one):
            yield one


def signature(node: Documented) -> str:
    """Return how `node` is called, as its source says."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    one_line = f"{node.name}({ast.unparse(node.args)}){returns}"
    if len(one_line) <= 80:
        return one_line
    arguments = _arguments(node.args)
    return f"{node.name}(\n" + "".join(f"    {one},\n" for one in arguments) + f"){returns}"


def _arguments(given: ast.arguments) -> list[str]:
    """Return the arguments one by one, with their types and defaults."""
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    told = [_argument(one, default) for one, default in zip(positional, defaults, strict=True)]
    if given.vararg:
        told.append(f"*{_argument(given.vararg, None)}")
    elif given.kwonlyargs:
        told.append("*")
    told += [
        _argument(one, default)
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return told + ([f"**{_argument(given.kwarg, None)}"] if given.kwarg else [])


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    typed = f"{one.arg}: {ast.unparse(one.annotation)}" if one.annotation else one.arg
    return f"{typed} = {ast.unparse(default)}" if default is not None else typed


def _section(package: Package) -> nodes.section:
    name = package.name
    result = section(name, f"api-{name.replace('.', '-')}", code=True)
    result += paragraphs(package.about)[:1]
    for exported, node in package.public.items():
        result += nodes.rubric(exported, exported, ids=[f"{name}.{exported}"])
        # Plain: colours would make a node of every word, on the largest page of the book.
        result += code(signature(node), "text")
        result += paragraphs(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef) and (inside := _members(node)):
            result += definitions(inside, classes=["api-members"])
    return result


def _members(node: ast.ClassDef) -> list[tuple[str, list[nodes.paragraph]]]:
    told: list[tuple[str, list[nodes.paragraph]]] = []
    for one in _public_members(node):
        is_property = isinstance(one, Callable) and any(
            "property" in ast.unparse(decorator) for decorator in one.decorator_list
        )
        text = paragraphs(ast.get_docstring(one) or "")
        told.append((one.name if is_property else f"{one.name}()", text))
    return told


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive with Sphinx."""
    app.add_directive("api-reference", ApiReference)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
