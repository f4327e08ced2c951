"""The verbs: what each does, and where it is. It is imported when it is asked for.

Help shows the table, so that it waits for none of them.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# By name: the module in `pangeo_deploy.cli`, what it calls the verb, and its help in a line.
VERBS = {
    "doctor": (
        "deployments.doctor",
        "Check what this machine has, what is missing, and how to get it.",
    ),
    "plan": ("deployments.plan", "Show what Terraform would change, and save it for `apply`."),
    "apply": ("deployments.apply", "Apply the saved plan, and nothing else."),
    "destroy": ("deployments.destroy", "Remove everything the deployment made."),
    "drift": ("deployments.drift", "Find what was changed behind Terraform's back."),
    "terraform": ("deployments.terraform", "Run any other Terraform command."),
    "sweep": ("deployments.sweep", "List what in the account carries the deployment's tags."),
    "reset": ("deployments.reset", "Remove the rehearsal of this checkout."),
    "hibernate": (
        "seasons.hibernate",
        "Remove cluster, nodes and load balancer; keep homes and users.",
    ),
    "wake": ("seasons.wake", "Bring back what hibernate removed, and the hub."),
    "preflight": ("preflight.preflight", "Compare what the charts need with Terraform's plan."),
    "charts": ("charts.app", "The Helm charts of an environment."),
    "hub": ("hub.app", "The rehearsal's hub: a real JupyterHub on this machine."),
    "smoke": ("hub.smoke", "Act as a user of the hub, step by step."),
    "janitor": ("hub.janitor", "Find servers and clusters that should be gone."),
    "usage": ("usage.app", "Hub usage: collect it, report it."),
    "cost": ("cost.app", "Ingest bills, allocate costs, estimate plans, watch budgets."),
    "whatif": ("whatif.whatif", "Replay sessions against a configuration: cost and waits."),
    "bench": ("bench.app", "Benchmarks: run, read, compare."),
    "book": ("book.app", "Execute the notebooks and render the book."),
    "delivery": (
        "delivery.app",
        "Deliver changes: review plans, deploy what was reviewed, report.",
    ),
}


class Group(TyperGroup):
    """A group of verbs whose help waits for nothing."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options; typer would load pydantic to convert the None of a flag not set."""
        found: list[Any] = super().get_params(ctx)
        for flag in found:
            flag.default = False if flag.default is None else flag.default
        return found


def group(**others: Any) -> typer.Typer:
    """Return an empty group of verbs."""
    return typer.Typer(
        cls=Group,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # else rich draws the help, and takes longer than all the rest
        **others,
    )


class Commands(Mapping[str, Any]):
    """The parsers of the verbs by name, each made when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = VERBS[name][0].partition(".")
        found = getattr(import_module(f"pangeo_deploy.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            alone = group()
            alone.command(name)(found)
            found = alone
        command = get_command(found)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class Verbs(Group):
    """The command line's parser: a group whose verbs are imported when they are asked for."""

    def __init__(self, **others: Any) -> None:
        super().__init__(**others)
        self.commands = Commands()  # type: ignore[assignment]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])
