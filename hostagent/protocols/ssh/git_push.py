"""Pushed: the refs that a `git-receive-pack` client asks to change, read from what it sends as that passes.

The client first sends lines, each behind its length in four hexadecimal digits, the first with its capabilities behind
a zero byte: `old new ref`, where an id of zeroes makes or deletes a ref. `0000` ends them, and the pack follows.
Source: Git's gitprotocol-pack, "Reference Update Request and Packfile Transfer". What cannot be read is passed all the
same, since the push was decided by its repository: then `refs` are those before it, and `whole` stays False.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 1000  # bytes, as git itself has for a packet of text; a ref's name is shorter
MAX_REFS: Final = 1000  # that are told; a push of more is one of everything
_UPDATE: Final = re.compile(
    rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\0\n]{1,900})(?:\0[^\n]*)?\n?"
)
_LENGTH: Final = re.compile(rb"[0-9a-f]{4}")
_HEADER: Final = 4


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A ref and the ids, in hexadecimal digits, that it has and is to have."""

    old: str
    new: str
    ref: str


class Pushed:
    """Give it what the client sends. `refs` grow until `done`; `whole`: all of them were read."""

    def __init__(self) -> None:
        self.refs: list[RefUpdate] = []
        self.done = False
        self.whole = False
        self._data = b""

    def feed(self, data: bytes) -> None:
        """More bytes; those of the pack are not looked at."""
        if self.done:
            return
        self._data += data
        while not self.done and len(self._data) >= _HEADER:
            head = self._data[:_HEADER]
            length = int(head, 16) if _LENGTH.fullmatch(head) else -1
            if length == 0 or not _HEADER < length <= MAX_LINE or len(self.refs) >= MAX_REFS:
                self.done, self.whole = True, length == 0
            elif len(self._data) < length:
                return
            else:
                self._line(self._data[_HEADER:length])
                self._data = self._data[length:]
        if self.done:
            self._data = b""

    def _line(self, line: bytes) -> None:
        found = _UPDATE.fullmatch(line)
        if found is not None:
            old, new, ref = found.groups()
            self.refs.append(RefUpdate(old.decode(), new.decode(), ref.decode("utf-8", "backslashreplace")))
        elif not line.startswith(b"shallow "):
            self.done = True
