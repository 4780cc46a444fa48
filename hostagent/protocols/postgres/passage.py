"""What of the client's bytes goes on to the server: message by message from the inbox, in slices as large as can be."""

from __future__ import annotations

from hostagent.protocols.base import Leg, Session
from hostagent.protocols.inbox import Inbox


class Passage:
    """Moves messages from the front of the inbox to the server, or drops them; `left` bytes of one are yet to come."""

    __slots__ = ("_captured", "_drop", "_inbox", "_out", "_out_captured", "_session", "_start", "_stop", "left")

    def __init__(self, session: Session, inbox: Inbox) -> None:
        self._session = session
        self._inbox = inbox
        self.left = 0
        self._drop = False
        self._captured = False  # whether they were captured before
        self._out = b""  # of this chunk `_start` to `_stop` goes on, and is not put out yet
        self._start = 0
        self._stop = 0
        self._out_captured = False

    def begin(self, total: int, drop: bool, captured: bool = False) -> None:
        """Pass on, or drop, the message of `total` bytes at the front of the inbox, as far as it is there."""
        self.left = total
        self._drop = drop
        self._captured = captured
        self.go_on()

    def go_on(self) -> None:
        """Do so with what has come of it since."""
        inbox = self._inbox
        start = inbox.pos
        stop = min(len(inbox.data), start + self.left)
        self.left -= stop - start
        inbox.pos = stop
        inbox.need = 1
        if self._drop or stop == start:
            return
        if self._out is inbox.data and self._stop == start and self._out_captured == self._captured:
            self._stop = stop
            return
        self.put_out()
        self._out, self._start, self._stop = inbox.data, start, stop
        self._out_captured = self._captured

    def put_out(self) -> None:
        """Hand over what may go: messages that follow each other in one chunk go as one slice."""
        if not self._out:
            return
        whole = self._start == 0 and self._stop == len(self._out)
        piece = self._out if whole else self._out[self._start : self._stop]
        self._out = b""
        self._session.to_upstream.append(piece)
        if not self._out_captured:
            self._session.captured.append((Leg.CLIENT, piece))
