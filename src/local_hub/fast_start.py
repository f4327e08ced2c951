"""Start JupyterHub, or a user's server, in half the time: python fast_start.py MODULE ARGUMENTS...

jsonschema can check internationalized addresses and, if the package rfc3987_syntax is installed,
compiles their grammar when it is imported: as much work as the rest of a server's start. It works
without the package, and nothing here uses such an address.
"""

import runpy
import sys

sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
