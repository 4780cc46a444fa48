"""Sources of a secret on this host: a file, or a credential that systemd hands over. Read when needed, never kept.

Never an environment variable (children and /proc show it), never the policy text (it is versioned and shared).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from hostagent import private_file
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
    """The content of a file of whatever user that the mode bits `shared` keep from others. Raises FileError."""
    where = Location(str(path))
    try:
        return private_file.read_private(path, most, shared, of_root=False)
    except private_file.Shared as error:
        raise FileError(where, f"{name}: {error}", f"chmod {_taken(shared)} {path}") from None
    except ValueError as error:
        raise FileError(where, f"{name}: {error}") from None
    except OSError as error:
        reason = f"{name}: the file cannot be read: {error.strerror}"
        raise FileError(where, reason, "check its path and that the daemon may read it") from None


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
