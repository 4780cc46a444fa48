"""Refused: what stops a rewrite anywhere below it; `rewrite` turns it into Unsafe."""

from __future__ import annotations


class Refused(Exception):
    """The text cannot be made safe. `reason` and `fix` are written for the client."""

    def __init__(self, reason: str, fix: str = "") -> None:
        self.reason = reason
        self.fix = fix
        super().__init__(reason)
