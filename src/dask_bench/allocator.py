"""Set the same memory allocation for everything that is compared.

A process keeps the memory that it frees: returning it to the system and allocating it again costs
more than the arithmetic of a chunk. Workers are started that way; a baseline in another process
must be too, or it is slower for a reason that has nothing to do with Dask.
"""

import ctypes
import sys

# Dask's default returns memory in steps of 64 KiB.
TRIM_BYTES, MMAP_BYTES = 2**31 - 1, 2**30
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_memory() -> bool:
    """Make this process keep freed memory, as workers do; return whether its C library can."""
    library = _library()
    if library is None:
        return False
    set_trim = library.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)
    return bool(set_trim and library.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES))


def give_back() -> None:
    """Return this process' freed memory to the system, where its C library can."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)


def _library() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
