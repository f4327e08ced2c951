"""The verb `delivery`: what the workflows call between a pull request and production."""

import typer

from pangeo_deploy.cli.delivery import changes, operations

app = typer.Typer(
    help="Deliver changes: review plans, deploy what was reviewed, keep records, report.",
    no_args_is_help=True,
)
for command in (
    changes.plan,
    changes.gate,
    changes.replan,
    changes.comment,
    changes.say,
    changes.guards,
    changes.reviewed,
    changes.turn,
    changes.restore,
    changes.record,
    changes.deployed,
    changes.keep,
    changes.fetch,
    operations.watch,
    operations.notify,
    operations.api_access,
    operations.event,
    operations.room,
    operations.month,
    operations.site,
):
    app.command(name=command.__name__.replace("_", "-"))(command)
