"""Files that others must not read: keys and secrets. They are made once, and what stands in their place is not trusted.

A link is followed where it is read, as secrets are often mounted through one: what counts is the file that was opened.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_KEY = 64 << 10  # bytes; a key in PEM has a few kilobytes
OTHERS = 0o077  # mode bits that must not be set


class Shared(ValueError):
    """Other users can read the file."""


def read_private(path: Path, most: int = MAX_KEY, shared: int = OTHERS, *, of_root: bool = True) -> bytes:
    """Its content. Opened without waiting: a pipe in its place would otherwise stop the daemon.

    Raises OSError; Shared where a bit of `shared` is in its mode; ValueError for no regular file, for more than `most`
    bytes, and (`of_root`) for one that is neither root's nor this process's.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_mode & shared:
            raise Shared(f"other users can read the file (mode {stat.S_IMODE(status.st_mode):o})")
        if of_root and status.st_uid not in (0, os.geteuid()):
            raise ValueError("it belongs to another user (it must be root's)")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"longer than {most} bytes")
    return data


def make_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make the file; what is there already is left alone. Raises OSError, FileExistsError among them."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
