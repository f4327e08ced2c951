"""The verb `bench`: `bench_run` measures, `bench_results` reads what was measured."""

import typer

from pangeo_deploy.cli import bench_results, bench_run

app = typer.Typer(help="Benchmarks: run, read, compare.", no_args_is_help=True)
app.command()(bench_run.run)
app.command()(bench_results.report)
app.command()(bench_results.compare)
app.command(name="import")(bench_results.import_)
