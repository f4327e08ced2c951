"""The command line: parse, call, print. What there is to decide lives in the packages below."""

import sys


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        from pangeo_deploy.cli import app  # takes a moment, in which Ctrl-C may come
    except KeyboardInterrupt:
        sys.stderr.write("Error: Interrupted.\nRun the same command again.\n")
        sys.exit(130)
    app.main()
