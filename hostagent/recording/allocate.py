"""Room for a file that grows, taken before it is written: fallocate(2) with FALLOC_FL_KEEP_SIZE."""

from __future__ import annotations

import ctypes
import errno

FALLOC_FL_KEEP_SIZE = 1  # linux/falloc.h: the file's length stays, so nothing that reads it sees the room

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def allocate(fd: int, start: int, size: int) -> bool:
    """Take room for `size` bytes from `start` on; False where the disk or a quota has none left.

    A file system that cannot do it (EOPNOTSUPP) is taken at its word: the write itself will tell.
    """
    while _fallocate(fd, FALLOC_FL_KEEP_SIZE, start, size) != 0:
        failure = ctypes.get_errno()
        if failure == errno.EINTR:
            continue
        return failure in (errno.EOPNOTSUPP, errno.ENOSYS)
    return True
