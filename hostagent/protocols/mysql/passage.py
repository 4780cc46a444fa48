"""What of the client's bytes goes on to the server: one command at a time, packet by packet, as it comes.

A command of more than 16 MB is several packets; it may stream through once it was decided on.
"""

from __future__ import annotations

from hostagent.protocols.base import Leg, Session
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql.packets import HEADER_SIZE, MAX_PAYLOAD, length_at


class Passage:
    """Moves the command at the front of the inbox to the server, or drops it. `sequence`: of its last packet so far."""

    __slots__ = ("_captured", "_drop", "_inbox", "_left", "_more", "_session", "sequence")

    def __init__(self, session: Session, inbox: Inbox) -> None:
        self._session = session
        self._inbox = inbox
        self._left = 0
        self._more = False  # another packet of the command follows
        self._drop = False
        self._captured = False
        self.sequence = 0

    @property
    def active(self) -> bool:
        """Whether a command is on its way that is not whole yet."""
        return self._left > 0 or self._more

    def begin(self, *, drop: bool, captured: bool = False) -> None:
        """Pass on, or drop, the command whose header is at the front of the inbox. `captured`: its bytes were kept."""
        self._drop = drop
        self._captured = captured
        self._more = True
        self.go_on()

    def go_on(self) -> bool:
        """Do so with what is there; whether anything was."""
        inbox = self._inbox
        data, start = inbox.data, inbox.pos
        end = len(data)
        pos = start
        while True:
            if self._left:
                step = min(self._left, end - pos)
                self._left -= step
                pos += step
            if self._left or not self._more or end - pos < HEADER_SIZE:
                break
            length = length_at(data, pos)
            self.sequence = data[pos + 3]
            self._more = length == MAX_PAYLOAD
            self._left = length
            pos += HEADER_SIZE
        inbox.pos = pos
        inbox.need = HEADER_SIZE if self._more and not self._left else 1
        if pos > start and not self._drop:
            piece = data if start == 0 and pos == end else data[start:pos]
            self._session.to_upstream.append(piece)
            if not self._captured:
                self._session.captured.append((Leg.CLIENT, piece))
        return pos > start
