"""The command `pangeo-deploy`: its verbs, and what an error or an interrupt ends with."""

import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from pangeo_core.errors import Interrupted, PangeoDeployError
from pangeo_deploy.cli.console import show_error
from pangeo_deploy.cli.verbs import Verbs

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
INTERRUPTED, PIPE_CLOSED = 130, 141  # 128 + SIGINT, 128 + SIGPIPE, as shells count
BUG, USAGE = 1, 2
REPORT = "Please report it at https://github.com/NCAR/ncar-pangeo-binder-terraform-deploy/issues"
# Every error of the parser: typer exports this one of the family only.
ParserError = typer.BadParameter.__mro__[2]

app = typer.Typer(
    cls=Verbs,
    help="Deploy, use, measure and pay for a Pangeo hub on AWS, or rehearse it on this machine.",
    epilog="Exit codes: 0 done, 1 a bug, 2 bad input or a missing prerequisite, 3 a check said no, "
    "130 interrupted.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # else rich draws the help, and takes longer than all the rest
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata  # few need it

        typer.echo(f"pangeo-deploy {metadata.version('pangeo-deploy')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Deploy, use, measure and pay for a Pangeo hub on AWS, or rehearse it on this machine."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    _open_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _as_interrupt)
    gc.set_threshold(ALLOCATIONS)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _refused_output(error, code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every outcome is said, as JSON if asked for."""
    as_json = "--json" in arguments
    try:
        code = app(list(arguments), standalone_mode=False) or 0
        return _interrupted(as_json) if code == INTERRUPTED else code
    except PangeoDeployError as error:
        show_error(error, as_json)
        return INTERRUPTED if isinstance(error, Interrupted) else error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(as_json)
    except SystemExit as error:  # the parser ends the process itself for these two
        if isinstance(error.__context__, BrokenPipeError):
            return _refused_output(error.__context__, PIPE_CLOSED)
        return _interrupted(as_json) if error.code == INTERRUPTED else int(error.code or 0)
    except OSError as error:
        if error.filename is None and (code := _refused_output(error, 0)):
            return code
        if error.errno == errno.ENOENT and error.filename is None:  # `getcwd` names none
            gone = "The current folder was removed."
            show_error(PangeoDeployError(gone, fix="Change to one that is there."), as_json)
            return PangeoDeployError.exit_code
        if error.errno not in THE_MACHINES_OWN or error.filename is None:
            return _bug(error, as_json)
        what = f"{error.strerror}: {error.filename}"
        show_error(PangeoDeployError(what, fix="Make room or allow it, then try again."), as_json)
        return PangeoDeployError.exit_code
    except Exception as error:  # the last resort: whatever it is, it is ours
        if isinstance(error, ParserError):
            return _misused(error, as_json)
        return _bug(error, as_json)


def _interrupted(as_json: bool) -> int:
    show_error(Interrupted("Interrupted.", fix="Run the same command again."), as_json)
    return INTERRUPTED


def _misused(error: Exception, as_json: bool) -> int:
    """Say how a command was misused: in the parser's own words, or as JSON."""
    if as_json:
        message = error.format_message()  # type: ignore[attr-defined]
        context = getattr(error, "ctx", None)
        way = f"See {context.command_path} --help" if context else "See pangeo-deploy --help"
        show_error(PangeoDeployError(message, fix=way), as_json)
    else:
        error.show()  # type: ignore[attr-defined]
    return USAGE


def _bug(error: Exception, as_json: bool) -> int:
    traceback.print_exc()
    name = type(error).__name__
    what = PangeoDeployError("This is a bug in pangeo-deploy.", why=f"{name}: {error}", fix=REPORT)
    show_error(what, as_json)
    return BUG


def _refused_output(error: OSError, code: int) -> int:
    """Return the exit code where nobody takes what is printed, `code` where that is not it."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
    if error.errno == errno.EPIPE:
        return PIPE_CLOSED
    show_error(PangeoDeployError("The output cannot be written.", why=str(error)), False)
    return PangeoDeployError.exit_code


def _open_streams() -> None:
    """Have both streams, whatever the shell closed, and print what their encoding lacks escaped."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != descriptor:
                os.dup2(opened, descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))
        else:
            stream.reconfigure(errors="backslashreplace")


def _as_interrupt(number: int, _frame: FrameType | None) -> None:
    """Treat a polite request to end like Ctrl-C, so that children and locks are cleaned up."""
    if number == signal.SIGHUP:  # the terminal is gone: nobody hears, and writing would fail
        silence = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            if os.isatty(descriptor):
                os.dup2(silence, descriptor)
    raise KeyboardInterrupt
