"""Start JupyterHub, or a user's server, in half the time: python fast_start.py MODULE ARGUMENTS...

jsonschema offers to check international addresses and, where the package rfc3987_syntax is there,
has it compile their grammar when it is imported: as much work as all the rest of a server's start.
It does without where the package is not there, and nobody here writes such an address.
"""

import runpy
import sys

sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
