"""Sphinx extension: the reference of the command line, from the parser itself.

```{cli-reference}
```
"""

from collections.abc import Iterator
from enum import Enum
from types import NoneType
from typing import Any, ClassVar, Literal, get_args, get_origin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from proof_book.page.sphinx_nodes import code, definitions, paragraph, section

PROGRAM = "pangeo-deploy"


class CliReference(SphinxDirective):
    """List every verb with its arguments and options."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return a section for each verb."""
        return [_section(name, command) for name, command in verbs()]


def verbs() -> list[tuple[str, Any]]:
    """Return the commands by what is typed for them, in the order in which help shows them."""
    from pangeo_deploy.cli.app import app

    return list(_verbs(PROGRAM, get_command(app)))


def _verbs(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield name, command
        return
    for own, one in inside.items():
        if not one.hidden:
            yield from _verbs(f"{name} {own}", one)


def _section(name: str, command: Any) -> nodes.section:
    verb = name.removeprefix(f"{PROGRAM} ")
    result = section(verb, f"cli-{verb.replace(' ', '-')}", code=True)
    for part in (command.help or "").split("\n\n"):
        result += paragraph(part)
    shown = [one for one in command.params if not one.hidden]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    usage = " ".join([name, *[_metavar(one) for one in arguments], "[OPTIONS]"])
    result += code(usage, "text")
    if shown:
        result += definitions(
            [(_term(one), [paragraph(_told(one))]) for one in shown], classes=["cli-options"]
        )
    return result


def _metavar(one: Any) -> str:
    name = one.metavar or (one.name or "").upper()
    name = f"{name}..." if one.nargs == -1 and not name.endswith("...") else name
    return name if one.required else f"[{name}]"


def _term(one: Any) -> str:
    if one.param_type_name == "argument":
        return _metavar(one)
    names = ", ".join([*one.opts, *one.secondary_opts])
    value = one.metavar or _kind(one.type_descriptor.annotation)
    return names if one.is_flag else f"{names} {value}"


def _kind(annotation: Any) -> str:
    """Return what kind of value an option takes, as help would show it."""
    inside = [one for one in get_args(annotation) if one is not NoneType]
    if get_origin(annotation) is Literal:
        return "|".join(str(one) for one in inside)
    if inside:  # an optional value, or several of one kind
        return _kind(inside[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(one.value) for one in annotation)
    return str(getattr(annotation, "__name__", "value")).upper()


def _told(one: Any) -> str:
    text = one.help or ""
    default = getattr(one.default, "value", one.default)
    if default not in (None, "", (), [], False, ...) and not callable(default):
        text = f"{text} Default: `{default}`.".strip()
    if one.multiple:
        text = f"{text} May be given more than once.".strip()
    return text or f"What {one.name} to use."


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive with Sphinx."""
    app.add_directive("cli-reference", CliReference)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
