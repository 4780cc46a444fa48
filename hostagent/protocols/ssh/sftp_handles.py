"""The handles that a session has open: each was opened with a decision, and is good for what was decided, no more."""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.ssh.transfer import READ, WRITE, Tally, Transfer

MAX_HANDLES: Final = (
    1024  # open files and directories of one session; sshd's own limit is its RLIMIT_NOFILE, 1024 mostly
)
MAX_HANDLE: Final = 256  # bytes of a handle (draft-ietf-secsh-filexfer-02, 6.2)


class Handle:
    """An open file or directory. `reads`, `writes`: what passed; None where that was not asked for."""

    def __init__(self, path: str, directory: bool = False, read: bool = False, write: bool = False) -> None:
        self.path: Final = path
        self.directory: Final = directory
        self.reads: Final = Tally(path, READ) if read else None
        self.writes: Final = Tally(path, WRITE) if write else None

    def fail(self) -> None:
        """Something went wrong with it: no transfer of it is complete."""
        for tally in (self.reads, self.writes):
            if tally is not None:
                tally.failed = True

    def transfers(self, closed: bool) -> list[Transfer]:
        """What was read from it and written to it. A file that was opened for both and used for one is in one."""
        used = [tally for tally in (self.reads, self.writes) if tally is not None]
        if len(used) > 1:
            used = [tally for tally in used if tally.bytes] or used[1:]
        return [tally.transfer(closed) for tally in used]


class Handles:
    """By the server's name for them. `coming`: opened, and the server has not answered yet. `finished` grows."""

    def __init__(self) -> None:
        self._open: dict[bytes, Handle] = {}
        self._closing: list[Handle] = []
        self.coming = 0
        self.finished: list[Transfer] = []

    @property
    def full(self) -> bool:
        """Whether no more may be opened."""
        return len(self._open) + len(self._closing) + self.coming >= MAX_HANDLES

    def get(self, name: bytes) -> Handle | None:
        """The handle of that name, None when there is none."""
        return self._open.get(name)

    def opened(self, name: bytes, handle: Handle) -> None:
        """The server has opened it. Raises PeerError for a name that it gave before."""
        if name in self._open or len(name) > MAX_HANDLE:
            raise PeerError("the server gives a file handle that is in use, or too long")
        self._open[name] = handle

    def closing(self, name: bytes) -> Handle | None:
        """The handle of that name, which is known no more: its CLOSE is sent."""
        handle = self._open.pop(name, None)
        if handle is not None:
            self._closing.append(handle)
        return handle

    def closed(self, handle: Handle, well: bool) -> None:
        """The server has closed it."""
        self._closing.remove(handle)
        self.finished += handle.transfers(closed=well)

    def abandon(self) -> None:
        """The session ends: nothing that is still open is complete."""
        for handle in (*self._open.values(), *self._closing):
            self.finished += handle.transfers(closed=False)
        self._open.clear()
        self._closing.clear()
