"""The verb `bench`: `run` and `ab` measure, `results` and `comparison` read what was measured."""

import typer

from pangeo_deploy.cli.bench import ab, comparison, results, run

app = typer.Typer(help="Benchmarks: run, read, compare.", no_args_is_help=True)
app.command()(run.run)
app.command()(ab.ab)
app.command()(results.report)
app.command()(comparison.compare)
app.command(name="import")(results.import_)
