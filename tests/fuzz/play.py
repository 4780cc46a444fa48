"""Plays a script against a session, with both its peers and whoever decides: the one target of all fuzzing.

A script is bytes, so that a fuzzer can mutate it. Each step is an opcode byte and what belongs to it (`run_steps`).
Rules that hold after every step: only PeerError escapes; what the session keeps is bounded; nothing goes upstream,
neither to the honest server nor past the oracle's reading of the bytes, that was not decided.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostagent.errors import PeerError
from hostagent.protocols.base import Command, Connect, Decide, Leg, Phase, StartTls
from hostagent.protocols.postgres import Limits, PostgresSession
from hostagent.protocols.postgres.denial import PILL_TEXT
from hostagent.values.decision import Decision, Ruling, Verdict
from tests.fuzz.server import PROBED, UNDIVIDED, Server
from tests.unit.protocols.postgres import wire

LIMITS = Limits(
    statement=2000, server_message=2000, in_flight=40, statements=8, statement_bytes=8000, portals=8, early=2000
)
KEPT = 120_000  # bytes that a session under these limits may keep, its queues and names together
TEXTS = (
    "select 1", "secret 1", "select 2", "fail 1", "bad 1", "copyin t", "copyout t", "", "prepare s select 1",
    "prepare s select 2", "deallocate s", "deallocate all", "set x", "secret 2", "begin", "set y",
)  # fmt: skip
NAMES = ("", "s", "p", "hostagent_denied")


def text_of(argument: bytes) -> str:
    return TEXTS[argument[0] % len(TEXTS)]


def name_of(argument: bytes, at: int = 0) -> str:
    return NAMES[argument[at] % len(NAMES)]


MESSAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda a: wire.query(text_of(a)),
    lambda a: wire.parse(text_of(a), name_of(a, 1)),
    lambda a: wire.bind(name_of(a), name_of(a, 1)),
    lambda a: wire.execute(name_of(a), a[1] % 3),
    lambda a: wire.describe("SP"[a[0] % 2], name_of(a, 1)),
    lambda a: wire.close("SP"[a[0] % 2], name_of(a, 1)),
    lambda a: wire.SYNC,
    lambda a: wire.FLUSH,
    lambda a: wire.message("d", b"row\n" * a[0]),
    lambda a: wire.message("c"),
    lambda a: wire.message("f", b"no\0"),
    lambda a: wire.message("F", bytes([0, 0, 0, a[0] % 4]) + bytes(6)),
    lambda a: wire.SYNC,  # again: without it most scripts come to nothing after an error
)


class Play:
    """One session that has logged in, and what happens to it."""

    def __init__(self, honest: bool, logged_in: bool = True) -> None:
        self.session = PostgresSession(wire.config(limits=LIMITS))
        self.server = Server()
        self.honest = honest
        self.probed = False  # the session asked a server that lies where names resolve
        self._steps = 0
        self._seen = b""  # what went to a server that lies, and is not a whole message yet
        self._client = b""  # what the client wrote and the session does not read yet
        self._upstream = b""  # what the server answered and the session has not got yet
        if logged_in:
            self._log_in()

    def client(self, data: bytes) -> None:
        """The client writes."""
        self._client += data
        self.deliver(len(self._client))

    def trickle(self, data: bytes, size: int) -> None:
        """The client writes, and so many bytes of it arrive at first."""
        self._client += data
        self.deliver(size)

    def deliver(self, size: int) -> None:
        """The pump reads so many bytes of the client, unless the session holds it."""
        if self._client and not self.session.client_held:
            data, self._client = self._client[:size], self._client[size:]
            self.session.client_data(data)
        self._after()

    def answer(self, size: int) -> None:
        """So many bytes of the server's answers arrive."""
        data, self._upstream = self._upstream[:size], self._upstream[size:]
        self.session.upstream_data(data)
        self._after()

    def lie(self, data: bytes) -> None:
        """The server sends what it likes."""
        if not self.honest:
            self.session.upstream_data(data)
            self._after()

    def decide(self) -> bool:
        """The question that is out is answered, if there is one: `secret` is denied."""
        asked = next((c for c in self.session.commands if isinstance(c, Decide)), None)
        if asked is None:
            return False
        self.session.commands.remove(asked)
        request = asked.request
        allowed = "secret" not in request.text and request.function_oid != 3
        if allowed and not request.wire:
            self.server.decide(request.text, runs=request.phase is Phase.EXECUTE)
        words = request.text.split() or ["empty"]
        settings = ("x",) if words[0] == "set" else ()
        ruling = Ruling(Verdict.ALLOW if allowed else Verdict.DENY, "r", "no", (words[0],), settings=settings)
        self.session.decided(request, Decision("d", ruling))
        self._after()
        return True

    def finish(self) -> None:
        """Everything that is under way arrives, as far as the session takes it."""
        moved = True
        while moved:
            waiting = len(self._client)
            moved = self.decide() or self._upstream != b""
            self.answer(1 << 16)
            self.deliver(1 << 16)
            moved = moved or len(self._client) < waiting

    def _log_in(self) -> None:
        self.session.client_data(wire.startup())
        self._obey(self.session.commands.pop())
        self.session.to_upstream.clear()
        first = wire.AUTH_OK + wire.status("server_version", "15.1") + wire.message("K", wire.KEY)
        self.session.upstream_data(first + wire.READY)
        self.session.to_upstream.clear()  # the session's own question, which this server need not answer itself
        self.session.upstream_data(wire.PROBED)
        self._after()

    def _after(self) -> None:
        """Take what the session put out, and hold it to the rules."""
        session = self.session
        commands, session.commands = session.commands, []
        for command in commands:
            self._obey(command)
        sent = b"".join(session.to_upstream)
        session.to_upstream.clear()
        session.to_client.clear()
        session.captured.clear()
        if self.honest:
            self._upstream += self.server.receive(sent)
        else:
            self._read(sent)
        assert sum(isinstance(c, Decide) for c in session.commands) <= 1, "two questions are out"
        self._steps += 1
        assert self._steps % 16 or kept(session) <= KEPT, "too much is kept"

    def _obey(self, command: Command) -> None:
        if isinstance(command, Decide):
            self.session.commands.append(command)
        elif isinstance(command, Connect):
            self.session.connected()
        elif isinstance(command, StartTls):
            self.session.tls_started(command.leg, b"")

    def _read(self, sent: bytes) -> None:
        """Count the texts that go to a server that lies: each was decided."""
        self._seen += sent
        while len(self._seen) >= 5:
            typed = self._seen[0] != 0  # else what is sent before the login
            size = typed + int.from_bytes(self._seen[typed : typed + 4], "big")
            if len(self._seen) < size:
                break
            if typed:
                self._count(chr(self._seen[0]), self._seen[5:size])
            self._seen = self._seen[size:]
        assert self._seen[:1] not in UNDIVIDED, "a part of a text goes upstream"

    def _count(self, kind: str, body: bytes) -> None:
        if kind == "Q" and body[:-1] == PROBED:
            self.probed = True
        elif kind == "Q" and body[:-1] != PILL_TEXT:
            self.server.pay(self.server.granted, body[:-1])
        elif kind == "P" and PILL_TEXT not in body:
            self.server.pay(self.server.planned, body.split(b"\0")[1])
        elif kind == "F":
            self.server.pay(self.server.granted, f"function_call oid={int.from_bytes(body[:4], 'big')}".encode())


def play(script: bytes) -> Play:
    """Play a script; the end of the session by PeerError is an end like another. Its first byte says how honest."""
    made = Play(honest=not script or script[0] % 4 != 0)
    with contextlib.suppress(PeerError):
        run_steps(made, script[1:])
        made.finish()
    with contextlib.suppress(PeerError):
        made.answer(0)
    return made


def run_steps(made: Play, script: bytes) -> None:
    """Read the script: an opcode and two bytes of arguments each, the last opcodes with so many bytes as they are."""
    at = 0
    while at + 3 <= len(script):
        code, argument = script[at], script[at + 1 : at + 3]
        at += 3
        if code < 156:
            made.client(MESSAGES[code % 13](argument))
        elif code < 180:
            made.decide()
        elif code < 200:
            made.answer(1 + argument[0] * (argument[1] + 1))
        elif code < 215:
            made.trickle(MESSAGES[argument[0] % 13](argument), 1 + argument[1])
        elif code < 230:
            made.lie(LIES[argument[0] % len(LIES)])
        else:
            raw = script[at : at + argument[0]]
            at += argument[0]
            made.client(raw) if code < 243 else made.lie(raw)


def replay(transcript: list[tuple[Leg, bytes]]) -> Play:
    """Play what two peers once said, from the first byte on; every question is answered at once."""
    made = Play(honest=False, logged_in=False)
    with contextlib.suppress(PeerError):
        for leg, data in transcript:
            if leg is Leg.CLIENT:
                made.client(data)
            else:
                made.lie(data)
            if made.probed:  # the session's own question, which is not in the transcript
                made.probed = False
                made.lie(wire.PROBED)
            while made.decide():
                made.client(b"")
            made.client(b"")
    return made


def read_transcript(path: Path) -> list[tuple[Leg, bytes]]:
    """A recorded transcript: a line of JSON for each run of bytes, the leg it came from and its base64."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [(Leg(leg), base64.b64decode(data)) for leg, data in lines]


LIES = (
    wire.PARSED, wire.BOUND, wire.CLOSED, wire.NO_DATA, wire.PARAMETERS, wire.COLUMNS, wire.row(b"1"),
    wire.tag("SELECT 1"), wire.EMPTY, wire.SUSPENDED, wire.READY, wire.READY_TX, wire.READY_FAILED, wire.SYNTAX,
    wire.error("22012"), wire.message("G", b"\0\0\0"), wire.message("H", b"\0\0\0"), wire.message("c"),
    wire.message("V", b"\0\0\0\0"), wire.message("N", b"\0"), wire.status("TimeZone", "UTC"),
    wire.status("client_encoding", "LATIN1"), wire.status("standard_conforming_strings", "off"),
    wire.message("W", b"\0\0\0"), wire.message("A", b"\0\0\0\x01c\0\0"),
)  # fmt: skip


def kept(thing: Any) -> int:
    """Bytes of all buffers and texts that hang on an object, each counted once."""
    seen: set[int] = set()
    todo, total = [thing], 0
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (bytes, bytearray, str)):
            total += len(one)
        elif isinstance(one, dict):
            todo += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set, frozenset)) or type(one).__name__ == "deque":
            todo += list(one)
        elif type(one).__module__.startswith("hostagent.") and not isinstance(one, type):
            total += 32
            todo += list(getattr(one, "__dict__", {}).values())
            slots = (name for cls in type(one).__mro__ for name in getattr(cls, "__slots__", ()))
            todo += [getattr(one, name, None) for name in slots]
    return total
