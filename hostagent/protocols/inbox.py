"""Bytes received from one peer and not consumed yet. Linear: no byte is copied more than twice, whatever the chunks."""

from __future__ import annotations


class Inbox:
    """`data[pos:]` is what can be read. A reader that needs more sets `need`, counted from `pos`, and stops.

    `ready()` says whether that much is there. Chunks that come too early are kept aside and joined once.
    """

    __slots__ = ("_late", "data", "need", "pos")

    def __init__(self) -> None:
        self.data = b""
        self.pos = 0
        self.need = 1
        self._late = bytearray()

    def __len__(self) -> int:
        return len(self.data) - self.pos + len(self._late)

    def feed(self, chunk: bytes) -> None:
        """Take a chunk. Without anything left over it is taken as it is."""
        if self.pos == len(self.data) and not self._late:
            self.data = chunk
            self.pos = 0
        else:
            self._late += chunk

    def ready(self) -> bool:
        """Whether `need` bytes can be read from `data[pos:]`; joins what came late when that helps."""
        have = len(self.data) - self.pos
        if have >= self.need:
            return True
        if not self._late or have + len(self._late) < self.need:
            return False
        self.data = self.data[self.pos :] + bytes(self._late)
        self.pos = 0
        self._late = bytearray()
        return True

    def take(self) -> bytes:
        """Everything that is left, consumed."""
        rest = self.data[self.pos :] + bytes(self._late)
        self.data, self.pos, self._late = b"", 0, bytearray()
        return rest
