"""Sphinx extension: the reference of the package, from its docstrings and signatures.

    ```{api-reference}
    ```

Read from the sources. autodoc would import every room, with boto3, moto and Dask, in the process
that renders; and docstrings here are plain sentences, which its reStructuredText would trip over.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from proof_book.identity.code_graph import files_of, source_folder
from proof_book.page.sphinx_nodes import code, definitions, paragraphs, section

# What no notebook calls: the command line has a page of its own, the stand-in a switch, and the
# book is made by the command line.
LEFT_OUT = ("pangeo_deploy/cli/", "proof_book/", "emulated_aws/", "local_hub/")
Callable = ast.FunctionDef | ast.AsyncFunctionDef
Public = Callable | ast.ClassDef


class ApiReference(SphinxDirective):
    """List the public functions and classes of the package, module by module."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return a section for each module."""
        return [_module(name, tree) for name, tree in modules(source_folder())]


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield each module that has something public, by its dotted name, with its source read."""
    for file in sorted(file for file in files_of(root) if file.endswith(".py")):
        name = ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")
        if file.startswith(LEFT_OUT):
            continue
        tree = ast.parse((root / file).read_text())
        if any(True for _ in public(tree)):
            yield name, tree


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Public]:
    """Yield the functions and classes of `tree` whose names do not begin with an underscore."""
    for node in tree.body:
        if isinstance(node, Public) and not node.name.startswith("_") and ast.get_docstring(node):
            yield node


def signature(node: Public) -> str:
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


def _module(name: str, tree: ast.Module) -> nodes.section:
    result = section(name, f"api-{name.replace('.', '-')}", code=True)
    result += paragraphs(ast.get_docstring(tree) or "")[:1]
    for node in public(tree):
        result += nodes.rubric(node.name, node.name, ids=[f"{name}.{node.name}"])
        # Plain: colours would make a node of every word, on the largest page of the book.
        result += code(signature(node), "text")
        result += paragraphs(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef) and (inside := _members(node)):
            result += definitions(inside, classes=["api-members"])
    return result


def _members(node: ast.ClassDef) -> list[tuple[str, list[nodes.paragraph]]]:
    told: list[tuple[str, list[nodes.paragraph]]] = []
    for one in public(node):
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
