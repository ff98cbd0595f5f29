"""What a round took of memory, given back to the system while nothing happens."""

import ctypes
import sys
from functools import cache


def give_back() -> None:
    """Let the C library return what it holds and nobody uses (malloc_trim(3), glibc only; elsewhere nothing).

    A round over a large estate needs hundreds of MiB for seconds; what is free between pieces that are not
    stays with the process otherwise, and over months the pieces spread.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":  # pyright: ignore[reportPrivateUsage]  # its only name
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
