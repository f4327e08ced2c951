"""The verb `delivery`: what the workflows call between a pull request and production."""

from pangeo_deploy.cli.delivery import changes, comments, operations
from pangeo_deploy.cli.verbs import group

app = group(help="Deliver changes: review plans, deploy what was reviewed, keep records, report.")
for command in (
    changes.plan,
    changes.gate,
    changes.replan,
    comments.comment,
    comments.say,
    comments.command,
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
    operations.pages,
    operations.site,
):
    app.command(name=command.__name__.replace("_", "-"))(command)
