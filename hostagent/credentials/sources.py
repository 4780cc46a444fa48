"""Sources of a credential's secret: a file, or a credential that systemd hands over. Read when needed, never kept.

Never an environment variable (children and /proc show it), never the policy text (it is versioned and shared).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from hostagent.errors import FileError, Location

MAX_SECRET = 64 << 10  # bytes; IAM tokens have some kilobytes


class Source(Protocol):
    """Where a credential's secret is: exactly one of the two is given."""

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str | None: ...
    @property
    def systemd(self) -> str | None: ...


def read_secret(source: Source) -> str:
    """The secret, without the line end a file closes with.

    Raises FileError when it cannot be read, is empty, too long or no UTF-8, or when other users can read the file.
    """
    path = _path(source)
    where = Location(str(path))
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o007:
                raise FileError(where, f"credential {source.name}: other users can read the file", f"chmod o= {path}")
            data = file.read(MAX_SECRET + 1)
    except OSError as error:
        reason = f"credential {source.name}: the file cannot be read: {error.strerror}"
        raise FileError(where, reason, "check its path and that the daemon may read it") from None
    return _text(data, source.name, where)


def _path(source: Source) -> Path:
    if source.file is not None:
        return Path(source.file)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")  # set by systemd for LoadCredential= (systemd.exec(5))
    if source.systemd is None or directory is None:
        what = f"credential {source.name}: systemd has handed over no credentials"
        raise FileError(Location(source.systemd or source.name), what, "add LoadCredential= to the unit")
    return Path(directory) / source.systemd


def _text(data: bytes, name: str, where: Location) -> str:
    if len(data) > MAX_SECRET:
        raise FileError(where, f"credential {name}: longer than {MAX_SECRET} bytes")
    try:
        secret = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise FileError(where, f"credential {name}: not UTF-8 text") from None
    if not secret:
        raise FileError(where, f"credential {name}: the file is empty")
    return secret
