"""The verb `bench`: what reads runs is in `bench_results`."""

import typer

from pangeo_deploy.cli import bench_results

app = typer.Typer(help="Benchmarks: run, read, compare.", no_args_is_help=True)
app.command()(bench_results.report)
app.command()(bench_results.compare)
app.command(name="import")(bench_results.import_)
