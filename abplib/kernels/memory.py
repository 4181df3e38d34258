"""Keep the memory of freed tensors for the next step, instead of giving it back to the system."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # mallopt's parameters, from malloc.h
_MIB = 1 << 20


def keep_memory(keep: bool = True) -> bool:
    """Tell the C library whether to keep freed memory for the whole process.

    A step at paper width frees and asks again for tensors of 32 MiB and more. The GNU C library
    gives each of them back to the system at once, which must clear every page again when it is
    next asked for: for such tensors that takes longer than the arithmetic of a normalisation. Kept
    memory stays with the process until it ends, so the process never shrinks.

    Args:
        keep: False returns to giving back, at the thresholds to which the library adapts by itself.

    Returns:
        Whether the C library is one that can be told.

    >>> isinstance(keep_memory(), bool)
    True
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = [(_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1)]
    if not keep:
        settings = [(_MMAP_MAX, 65536), (_MMAP_THRESHOLD, 32 * _MIB), (_TRIM_THRESHOLD, 64 * _MIB)]
    answers = [library.mallopt(*setting) for setting in settings]
    if not keep:
        library.malloc_trim(0)
    return all(answers)
