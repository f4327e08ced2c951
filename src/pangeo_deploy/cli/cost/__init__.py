"""The verb `cost`: bills, their allocation, estimates of plans, and budgets."""

from pangeo_deploy.cli.cost import bills, budgeting, estimates
from pangeo_deploy.cli.verbs import group

app = group(
    help="Ingest bills, allocate costs, estimate plans, and alert before the budget is spent."
)
for command in (
    estimates.estimate,
    estimates.reconcile,
    budgeting.forecast,
    budgeting.anomalies,
    budgeting.gate,
    bills.ingest,
    bills.fetch,
    bills.allocate,
    bills.units,
    bills.sample,
):
    app.command()(command)
app.command("prices")(estimates.refresh_prices)
