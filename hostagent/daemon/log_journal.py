"""journald's own protocol: one datagram a log line, with named fields. systemd.io/JOURNAL_NATIVE_PROTOCOL

A field is `NAME=value` and a line feed, or, when its value has a line feed in it, the name, a line feed, the value's
length as 64 bits little endian, the value and a line feed. What is too large for a datagram goes as a sealed memfd.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
MAX_VALUE = 64 << 10  # characters of one field; journald drops an entry whose fields are too large
_ADD_SEALS = 1033  # fcntl F_ADD_SEALS
_SEALS = 0xF  # F_SEAL_SEAL, SHRINK, GROW, WRITE


def is_stream(environ: Mapping[str, str], fd: int) -> bool:
    """Whether that descriptor is the one that systemd connected to the journal (JOURNAL_STREAM, systemd.exec(5))."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    status = os.fstat(fd)
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def encode(fields: Mapping[str, object]) -> bytes:
    """One entry. Names must be of capital letters, digits and `_`, and not begin with `_` or a digit."""
    return b"".join(_field(name, str(value)[:MAX_VALUE]) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" in data:
        return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(data)), data)
    return b"%b=%b\n" % (name.encode(), data)


class Journald:
    """The socket of the journal."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)  # a journal that does not keep up holds up nobody

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def send(self, fields: Mapping[str, object]) -> None:
        """Write one entry. Raises OSError: no journal there, or it does not keep up."""
        entry = encode(fields)
        try:
            self._socket.sendto(entry, self._path)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_file(entry)

    def _send_file(self, entry: bytes) -> None:
        fd = os.memfd_create("hostagent-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(entry)
            fcntl.fcntl(fd, _ADD_SEALS, _SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            self._socket.sendmsg([], rights, 0, self._path)
        finally:
            os.close(fd)
