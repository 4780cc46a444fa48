"""Errors, in three families, by whose fault it was. Everything else is a builtin.

    PeerError     the client or the server broke its protocol     → that flow ends, with a protocol error
    FileError     the operator's file is wrong                    → file:line:col, why, how to fix it; nothing changes
    HostError     our host or kernel has a problem                → what, why, and a hint

No internal text reaches a peer: the text of a `PeerError` is written for the peer, the others for the operator.
"""

from __future__ import annotations

from dataclasses import dataclass


class PeerError(Exception):
    """A client or a server sent what its protocol does not allow."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an operator's file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class FileError(Exception):
    """An operator's file (configuration, policy, key) cannot be used.

    `str()` gives `file:line:col: what: why` and, where one is known, `fix: …` on a second line.
    """

    def __init__(self, where: Location, what: str, fix: str = "") -> None:
        self.where = where
        self.what = what
        self.fix = fix
        super().__init__(f"{where}: {what}" + (f"\n  fix: {fix}" if fix else ""))


class HostError(Exception):
    """The host or its kernel cannot do what is needed; `hint` says how to mend it."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what + (f"\n  hint: {hint}" if hint else ""))
