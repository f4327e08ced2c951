"""Serve an emulated AWS account: python -m emulated_aws serve --state FOLDER [--port NUMBER]."""

import argparse
import signal
import sys
from pathlib import Path

from emulated_aws.account import REGION
from emulated_aws.account_server import serve_account
from pangeo_core.errors import PangeoDeployError

DONE, BAD_INPUT = 0, 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until the process is told to stop; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulated_aws", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="serve an account whose state outlives the process")
    serve.add_argument(
        "--state", type=Path, required=True, help="the folder that keeps the account"
    )
    serve.add_argument("--port", type=int, default=0, help="a free one, if none is given")
    serve.add_argument("--region", default=REGION, help=f"of a new account (default {REGION})")
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 1 << 16:
        parser.error(f"--port: expected 0 to 65535, got {options.port}")
    try:
        with serve_account(options.state, options.region, options.port) as account:
            for name, value in account.environment.items():
                print(f"export {name}={value}")
            print("# The real Terraform provider also needs, for S3 Control:")
            print(f"export HTTP_PROXY={account.endpoint}", flush=True)
            wait_for_the_end()
    except PangeoDeployError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    return DONE


def wait_for_the_end() -> None:
    """Return when any of the terminating signals arrives."""
    asked = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    signal.sigwait(asked)


if __name__ == "__main__":
    sys.exit(main())
