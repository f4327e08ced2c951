"""The options that several verbs share, each declared once."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar

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


# Limits of what an option's number can mean; what is beyond is a slip, and would take all memory.
MOST_SECONDS = 30 * 86400
MOST_SEED = 2**31 - 1
MOST_USD = 10**12

Number = TypeVar("Number", int, float, list[int] | None, tuple[int, int, int] | None)


def within(least: float, most: float) -> Callable[[Number | None], Number | None]:
    """Return the check of an option's number or numbers; NaN is between no limits."""

    def check(value: Number | None) -> Number | None:
        for number in value if isinstance(value, list | tuple) else (value,):
            if number is not None and not least <= number <= most:
                raise typer.BadParameter(f"{number} is not between {least:g} and {most:g}.")
        return value

    return check


def amount(text: str) -> str:
    """Refuse an amount that is not written as a number, or that nobody has."""
    if text and not abs(_decimal(text)) <= MOST_USD:
        raise typer.BadParameter(f"{text!r} is not an amount. Write it as 123.45.")
    return text


def positive(text: str) -> str:
    """Refuse the same, and a budget of which nothing can be bought."""
    if amount(text) and _decimal(text) <= 0:
        raise typer.BadParameter(f"{text} is not more than 0.")
    return text


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("Infinity")
    return number if number.is_finite() else Decimal("Infinity")


def usd(text: str) -> Decimal | None:
    """Return the amount that a checked option gives, None where it gives none."""
    return Decimal(text) if text else None


def day(option: str, text: str) -> date:
    """Return the day that an option names."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} is not a day: {text!r}.", fix="Write YYYY-MM-DD.") from None
