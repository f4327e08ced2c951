"""The options that several verbs share, each declared once."""

from datetime import date
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from pangeo_core.errors import BadInput
from pangeo_deploy.deployment import TargetName

EnvironmentArgument = Annotated[
    str,
    typer.Argument(
        help="A name under terraform/environments: staging, prod.", metavar="ENVIRONMENT"
    ),
]
ConfirmOption = Annotated[
    str,
    typer.Option(help="The environment's name again, to confirm; required on aws.", metavar="NAME"),
]
TargetOption = Annotated[TargetName, typer.Option(help="Where the deployment lives.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
BillOption = Annotated[Path | None, typer.Option(help="The folder or table that `ingest` wrote.")]
DailyOption = Annotated[Path | None, typer.Option(help="A csv with the columns date and usd.")]
RegionOption = Annotated[
    str, typer.Option(help="The region whose prices to use; the plan's own by default.")
]
PricesOption = Annotated[
    Path | None, typer.Option(help="Another price list than the project's data/prices.csv.")
]


def finite(value: float | None) -> float | None:
    """Refuse NaN and the infinities, which every comparison would let pass."""
    if value is not None and not isfinite(value):
        raise typer.BadParameter("a finite number is needed")
    return value


def usd(option: str, text: str) -> Decimal | None:
    """Return the amount that an option gives, None where it gives none."""
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise BadInput(f"{option} is not a number: {text!r}.", fix="Write it as 123.45.")
    return amount


def day(option: str, text: str) -> date:
    """Return the day that an option names."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} is not a day: {text!r}.", fix="Write YYYY-MM-DD.") from None
