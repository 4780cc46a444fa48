"""Sources of a secret on this host: a file, or a credential that systemd hands over. Read when needed, never kept.

Never an environment variable (children and /proc show it), never the policy text (it is versioned and shared).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from hostagent.errors import FileError, Location

MAX_SECRET = 64 << 10  # bytes; IAM tokens have some kilobytes


class Source(Protocol):
    """Where a secret is: exactly one of the two is given."""

    @property
    def file(self) -> str | None: ...
    @property
    def systemd(self) -> str | None: ...


def read_secret(source: Source, name: str) -> str:
    """The secret, without the line end a file closes with; `name` is what errors call it (`credential orders`).

    Raises FileError when it cannot be read, is empty, too long or no UTF-8, or when other users can read the file.
    """
    path = _path(source, name)
    return text_of(read_private(path, name, MAX_SECRET), name, Location(str(path)))


def read_private(path: Path, name: str, most: int, shared: int = 0o007) -> bytes:
    """The content of a file that the mode bits `shared` keep from others. Raises FileError.

    Opened without waiting: a pipe in its place would otherwise stop the daemon.
    """
    where = Location(str(path))
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode):
                raise FileError(where, f"{name}: not a regular file")
            if mode & shared:
                raise FileError(where, f"{name}: other users can read the file", f"chmod {_taken(shared)} {path}")
            data = file.read(most + 1)
    except OSError as error:
        reason = f"{name}: the file cannot be read: {error.strerror}"
        raise FileError(where, reason, "check its path and that the daemon may read it") from None
    if len(data) > most:
        raise FileError(where, f"{name}: longer than {most} bytes")
    return data


def text_of(data: bytes, name: str, where: Location) -> str:
    """A secret's text, without one line end. Raises FileError when there is none."""
    try:
        secret = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise FileError(where, f"{name}: not UTF-8 text") from None
    if not secret:
        raise FileError(where, f"{name}: the file is empty")
    if "\0" in secret:
        raise FileError(where, f"{name}: a NUL stands in it, which no password can hold")
    return secret


def _taken(shared: int) -> str:
    return "go=" if shared & 0o070 else "o="


def _path(source: Source, name: str) -> Path:
    if source.file is not None:
        return Path(source.file)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")  # set by systemd for LoadCredential= (systemd.exec(5))
    if source.systemd is None or directory is None:
        what = f"{name}: systemd has handed over no credentials"
        raise FileError(Location(source.systemd or name), what, "add LoadCredential= to the unit")
    return Path(directory) / source.systemd
