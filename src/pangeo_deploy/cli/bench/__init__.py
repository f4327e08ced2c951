"""The verb `bench`: `run` and `ab` measure, `results` and `comparison` read what was measured."""

from pangeo_deploy.cli.bench import ab, comparison, results, run
from pangeo_deploy.cli.verbs import group

app = group(help="Benchmarks: run, read, compare.")
app.command()(run.run)
app.command()(ab.ab)
app.command()(results.report)
app.command()(comparison.compare)
app.command(name="import")(results.import_)
