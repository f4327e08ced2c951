"""The verb `delivery`: what the workflows call between plan and production, and around it."""

import typer

from pangeo_deploy.cli.delivery import changes, operations

app = typer.Typer(
    help="Continuous deployment: sealed plans, reviews, records, notices.", no_args_is_help=True
)
for command in (
    changes.plan,
    changes.gate,
    changes.verify,
    changes.comment,
    changes.say,
    changes.reviewed,
    changes.record,
    changes.deployed,
    changes.keep,
    changes.fetch,
    operations.watch,
    operations.notify,
    operations.door,
    operations.event,
    operations.month,
    operations.site,
):
    app.command()(command)
