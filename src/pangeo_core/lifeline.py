"""A process that ends with the one that started it, however that ends."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux to tell this process to stop when its parent ends; other systems have no such call.

    SIGTERM, so that it can write to the end what it writes. `parent`, if known, is who started it:
    a parent that ended before this call is noticed, too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1 if parent is None else os.getppid() != parent:
            os._exit(1)
