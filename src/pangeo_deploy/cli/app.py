"""The command `pangeo-deploy`: its verbs, and what an error or an interrupt ends with."""

import errno
import gc
import signal
import sys
import traceback
from types import FrameType

import typer

from pangeo_core.errors import Interrupted, PangeoDeployError
from pangeo_deploy.cli import bench, book, charts, cost, delivery, deployments, hub, usage, whatif
from pangeo_deploy.cli.console import show_error
from pangeo_deploy.cli.preflight import preflight

# What an operating system refuses for reasons of the machine and not of this program.
THE_MACHINES_OWN = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
)
# How many new objects make Python look for cycles. Most that a command makes, such as the models
# of AWS's services, live until it ends: looking at them every 700 takes a fifth of its time.
ALLOCATIONS = 50_000
INTERRUPTED = 130  # 128 + SIGINT, as shells count

app = typer.Typer(
    help="Deploy, use, measure and pay for a Pangeo hub on AWS, or rehearse it on this machine.",
    epilog="Exit codes: 0 done, 1 a bug, 2 bad input or a missing prerequisite, 3 a check said no.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
deployments.register(app)
hub.register(app)
app.add_typer(charts.app, name="charts")
app.add_typer(usage.app, name="usage")
app.add_typer(bench.app, name="bench")
app.add_typer(cost.app, name="cost")
app.command()(preflight)
app.command()(whatif.whatif)
app.add_typer(book.app, name="book")
app.add_typer(delivery.app, name="delivery")


def main() -> None:
    """Run the command line of this process and exit with its code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    gc.set_threshold(ALLOCATIONS)
    as_json = "--json" in sys.argv
    try:
        app()
    except PangeoDeployError as error:
        show_error(error, as_json)
        sys.exit(INTERRUPTED if isinstance(error, Interrupted) else error.exit_code)
    except OSError as error:
        if error.errno not in THE_MACHINES_OWN or error.filename is None:
            _bug()
        what = f"{error.strerror}: {error.filename}"
        show_error(PangeoDeployError(what, fix="Make room or allow it, then try again."), as_json)
        sys.exit(PangeoDeployError.exit_code)
    except Exception:  # the last resort: whatever it is, it is ours
        _bug()


def _bug() -> None:
    traceback.print_exc()
    print("This is a bug in pangeo-deploy. Please report it with the lines above.", file=sys.stderr)  # noqa: T201
    sys.exit(1)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat a polite request to end like Ctrl-C, so that children and locks are cleaned up."""
    raise KeyboardInterrupt
