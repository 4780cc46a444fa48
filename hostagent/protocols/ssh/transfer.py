"""Transfer: what became of one file that a client read or wrote, counted and hashed as its bytes pass."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

READ = "read"
WRITE = "write"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file, in one direction: `read` or `write`, as the client does it.

    `bytes` and `sha256` (hex) are of what passed, from the file's first byte on; where that is not one run of bytes
    `sha256` is empty and `why` says so. `complete`: it was closed in order, without an error, and read to its end.
    """

    path: str
    direction: str
    bytes: int
    sha256: str
    why: str
    complete: bool


class Tally:
    """Counts and hashes one direction of one open file."""

    def __init__(self, path: str, direction: str, why: str = "") -> None:
        """`why`: there will be no hash, for that reason."""
        self.path = path
        self.direction = direction
        self.bytes = 0
        self.failed = False
        self.ended = direction == WRITE  # a read is complete once the end of the file was seen
        self._next = 0
        self._why = why
        self._hash = hashlib.sha256()

    def add(self, offset: int, data: bytes | memoryview) -> None:
        """These bytes passed, which stand at that offset of the file."""
        self.bytes += len(data)
        if self._why:
            return
        if offset != self._next:
            self._why = "not read or written from first to last byte in one run"
            return
        self._hash.update(data)
        self._next += len(data)

    def cut(self, size: int) -> None:
        """The file was given that size: nothing changes when it is just what was written."""
        if size != self._next:
            self.unhashable("its size was set while it was open")

    def unhashable(self, why: str) -> None:
        """Bytes that are not seen here became part of the file."""
        self._why = self._why or why

    def transfer(self, closed: bool) -> Transfer:
        """What became of it. `closed`: in order."""
        complete = closed and self.ended and not self.failed
        digest = "" if self._why else self._hash.hexdigest()
        return Transfer(self.path, self.direction, self.bytes, digest, self._why, complete)
