"""A PostgreSQL server as far as the oracle needs one: it keeps names, skips after errors, and runs nothing undecided.

It reads what a session sent upstream and answers as the real one does. Each text that it would run costs one decision:
`decide` says that one was made. A text that no decision stands for is an AssertionError, whatever name it came by.
"""

from __future__ import annotations

from collections import Counter

from hostagent.protocols.postgres.denial import PILL_TEXT
from hostagent.protocols.postgres.probe import PROBE
from tests.unit.protocols.postgres import wire

PROBED = PROBE[5:-1]
UNDIVIDED = (b"Q", b"P")  # messages that are decided on as a whole: no part of one goes ahead of the rest


class Server:
    """The server's side of a connection that has logged in."""

    def __init__(self) -> None:
        self.granted: Counter[bytes] = Counter()
        self.planned: Counter[bytes] = Counter()
        self.ran: list[bytes] = []
        self._received = b""
        self._answer: list[bytes] = []
        self._statements: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        self._skips = False
        self._copies = ""  # what reads COPY data: simple or extended

    def decide(self, text: str, runs: bool) -> None:
        """A decision let that text be run, or be planned, once."""
        (self.granted if runs else self.planned)[text.encode()] += 1

    def receive(self, data: bytes) -> bytes:
        """What it answers to these bytes of the session."""
        self._received += data
        while len(self._received) >= 5:
            size = 1 + int.from_bytes(self._received[1:5], "big")
            if len(self._received) < size:
                break
            kind, body = chr(self._received[0]), self._received[5:size]
            self._received = self._received[size:]
            self._message(kind, body)
        assert self._received[:1] not in UNDIVIDED, "a part of a text came upstream"
        answer, self._answer = b"".join(self._answer), []
        return answer

    def _message(self, kind: str, body: bytes) -> None:
        if self._copies:
            self._during_copy(kind, body)
        elif kind == "X":
            self._skips = True
        elif kind == "S":
            self._skips = False
            self._portals.clear()  # the transaction ends
            self._answer.append(wire.READY)
        elif not self._skips and kind not in "Hdcf":
            handler = {"Q": self._query, "P": self._parse, "B": self._bind, "D": self._describe}
            handler |= {"E": self._execute, "C": self._close, "F": self._call}
            handler[kind](body)

    def _query(self, body: bytes) -> None:
        text = body[:-1]
        self._statements.pop(b"", None)
        self._portals.clear()
        if text == PILL_TEXT or text.startswith(b"bad"):
            self._answer += [wire.SYNTAX, wire.READY]
        elif self._run(text, "simple"):
            self._answer.append(wire.READY)

    def _parse(self, body: bytes) -> None:
        name, text, _ = body.split(b"\0", 2)
        if text == PILL_TEXT:
            return self._error()
        self.pay(self.planned, text)
        if text.startswith(b"bad") or (name and name in self._statements):
            return self._error()
        self._statements[name] = text
        self._answer.append(wire.PARSED)
        return None

    def _bind(self, body: bytes) -> None:
        portal, name, _ = body.split(b"\0", 2)
        if name not in self._statements or (portal and portal in self._portals):
            return self._error()
        self.pay(self.granted, self._statements[name])
        self._portals[portal] = self._statements[name]
        self._answer.append(wire.BOUND)
        return None

    def _describe(self, body: bytes) -> None:
        known = self._statements if body[:1] == b"S" else self._portals
        if body[1:-1] not in known:
            return self._error()
        self._answer += [wire.PARAMETERS, wire.COLUMNS] if body[:1] == b"S" else [wire.COLUMNS]
        return None

    def _execute(self, body: bytes) -> None:
        portal = body.split(b"\0", 1)[0]
        if portal not in self._portals:
            return self._error()
        self._run(self._portals[portal], "extended", paid=True)
        return None

    def _close(self, body: bytes) -> None:
        (self._statements if body[:1] == b"S" else self._portals).pop(body[1:-1], None)
        self._answer.append(wire.CLOSED)

    def _call(self, body: bytes) -> None:
        oid = int.from_bytes(body[:4], "big")
        self.pay(self.granted, f"function_call oid={oid}".encode())
        self._answer += [wire.message("V", b"\0\0\0\0"), wire.READY]

    def _run(self, text: bytes, how: str, paid: bool = False) -> bool:
        """Run a text; whether it is done at once. An error in the simple protocol is done, too."""
        if text != PROBED and not paid:
            self.pay(self.granted, text)
        self.ran.append(text)
        word, _, rest = text.partition(b" ")
        if word == b"copyin":
            self._copies = how
            self._answer.append(wire.message("G", b"\0\0\0"))
            return False
        if word == b"fail":
            self._failed(how)
        elif word == b"copyout":
            self._answer += [
                wire.message("H", b"\0\0\0"),
                wire.message("d", b"row\n"),
                wire.message("c"),
                wire.tag("COPY 1"),
            ]
        elif word == b"prepare":
            self._prepare(rest, how)
        elif word == b"deallocate":
            self._statements.pop(rest, None) if rest != b"all" else self._statements.clear()
            self._answer.append(wire.tag("DEALLOCATE"))
        elif not text:
            self._answer.append(wire.EMPTY)
        else:
            columns = [wire.COLUMNS] if how == "simple" else []
            self._answer += [*columns, wire.row(b"1"), wire.row(text[:9]), wire.tag("SELECT 2")]
        return True

    def _prepare(self, rest: bytes, how: str) -> None:
        name, _, text = rest.partition(b" ")
        if name in self._statements:
            self._failed(how)
        else:
            self._statements[name] = text
            self._answer.append(wire.tag("PREPARE"))

    def _failed(self, how: str) -> None:
        if how == "extended":
            self._error()
        else:
            self._answer.append(wire.error("22012"))

    def _during_copy(self, kind: str, body: bytes) -> None:
        if kind in "dHS":
            return
        how, self._copies = self._copies, ""
        if kind == "c":
            self._answer.append(wire.tag("COPY 1"))
        else:
            self._answer.append(wire.error("57014"))
            self._skips = how == "extended"
        if how == "simple":
            self._answer.append(wire.READY)

    def _error(self) -> None:
        self._skips = True
        self._answer.append(wire.error("42P01"))

    def pay(self, decisions: Counter[bytes], text: bytes) -> None:
        """Use up a decision. Raises AssertionError where there is none."""
        assert decisions[text] > 0, f"the server would run or plan what was not decided: {text!r}"
        decisions[text] -= 1
