"""A playbook reads as a transcript: `>>` happens to the session, `<<` is what it then does, in order.

    Playbook(make)
        >> FromClient(query("select 1"))
        << Asks("select 1")
        >> Allowed()
        << ToUpstream(query("select 1"))

Each `<<` takes the next output; what is left over when the next `>>` or `done()` comes is an error. `done()` then plays
everything again with the bytes cut at every place, and holds the session to two promises: the outputs are the same,
and no byte of a denied or unanswered text is ever among those for the upstream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hostagent.protocols.base import Command, Decide, Leg, Request, Session
from hostagent.values.decision import Decision, Ruling, Verdict


@dataclass(frozen=True)
class FromClient:
    data: bytes


@dataclass(frozen=True)
class FromUpstream:
    data: bytes


@dataclass(frozen=True)
class Connected:
    pass


@dataclass(frozen=True)
class ClientEof:
    pass


@dataclass(frozen=True)
class UpstreamLost:
    reason: str = ""


@dataclass(frozen=True)
class TlsStarted:
    leg: Leg
    binding: bytes = b""


@dataclass(frozen=True)
class CancelFound:
    upstream: bytes


@dataclass(frozen=True)
class Allowed:
    """The decision on the request that was asked about last; its id counts `d1`, `d2`, …"""

    kinds: tuple[str, ...] = ("select",)
    settings: tuple[str, ...] = ()
    text: str | None = None
    verdict: Verdict = Verdict.ALLOW
    rewritten: str | None = None
    shape: tuple[str | None, ...] | None = None


@dataclass(frozen=True)
class Sealed:
    """Masks are in force; no result may hold these columns (table OID, attribute number)."""

    forbidden: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class LooksUp:
    """The pump has a question of ours to the server."""

    question: str


@dataclass(frozen=True)
class Denied:
    reason: str = "no"
    rule: str = "r"
    text: str | None = None
    told: str = ""
    position: int = 0


Event = (
    FromClient | FromUpstream | Connected | ClientEof | UpstreamLost | TlsStarted | CancelFound | Allowed | Denied
    | Sealed | LooksUp
)  # fmt: skip


@dataclass(frozen=True)
class ToClient:
    data: bytes


@dataclass(frozen=True)
class ToUpstream:
    data: bytes


@dataclass(frozen=True)
class Asks:
    """A `Decide` whose request has these fields; None is not compared."""

    text: str
    phase: str | None = None
    schemas: object = ...
    wire: str = ""
    function_oid: int | None = None

    def matches(self, request: Request) -> bool:
        return (
            request.text == self.text
            and (self.phase is None or request.phase == self.phase)
            and (self.schemas is ... or request.schemas == self.schemas)
            and (request.wire, request.function_oid) == (self.wire, self.function_oid)
        )


Output = ToClient | ToUpstream | Asks | Command


@dataclass
class Trace:
    """All that a session has put out, per kind."""

    to_client: bytearray = field(default_factory=bytearray)
    to_upstream: bytearray = field(default_factory=bytearray)
    captured: dict[Leg, bytearray] = field(default_factory=lambda: {leg: bytearray() for leg in Leg})
    commands: list[Command] = field(default_factory=list)


class Player:
    """One session, its outputs, and the request it waits for."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.trace = Trace()
        self.asked: Request | None = None
        self.decisions = 0
        self.denied: set[str] = set()
        self.forwarded: set[str] = set()  # texts that some decision let through

    def play(self, event: Event) -> None:
        session = self.session
        match event:
            case FromClient(data):
                session.client_data(data)
            case FromUpstream(data):
                session.upstream_data(data)
            case Connected():
                session.connected()
            case ClientEof():
                session.client_eof()
            case UpstreamLost(reason):
                session.upstream_lost(reason)
            case TlsStarted(leg, binding):
                session.tls_started(leg, binding)
            case CancelFound(key):
                session.cancel_found(key)
            case Allowed(kinds, settings, text, verdict, rewritten, shape):
                sent = Ruling(verdict, "r", "yes", kinds, text=text, settings=settings, rewritten=rewritten)
                self._answer(replace(sent, shape=shape))
            case Sealed(forbidden):
                session.sealed = True
                session.forbidden = set(forbidden)
            case LooksUp(question):
                session.look_up(question)
            case Denied(reason, rule, text, told, position):
                self._answer(Ruling(Verdict.DENY, rule, reason, text=text, told=told, position=position))

    def _answer(self, ruling: Ruling) -> None:
        request, self.asked = self.asked, None
        assert request is not None, "nothing was asked"
        self.decisions += 1
        (self.forwarded if ruling.verdict.forwards and not request.wire else self.denied).add(request.text)
        self.session.decided(request, Decision(f"d{self.decisions}", ruling))

    def collect(self) -> list[Output]:
        session, trace = self.session, self.trace
        upstream, client, commands = b"".join(session.to_upstream), b"".join(session.to_client), session.commands
        for leg, data in session.captured:
            trace.captured[leg] += data
        session.to_upstream, session.to_client, session.commands, session.captured = [], [], [], []
        trace.to_upstream += upstream
        trace.to_client += client
        trace.commands += commands
        for command in commands:
            if isinstance(command, Decide):
                self.asked = command.request
        outputs: list[Output] = [ToUpstream(upstream)] if upstream else []
        outputs += [ToClient(client)] if client else []
        return outputs + list(commands)


class Playbook:
    """See the module. `make` gives a fresh session; it must be deterministic."""

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._player = Player(make())
        self._events: list[Event] = []
        self._outputs: list[Output] = []

    @property
    def trace(self) -> Trace:
        return self._player.trace

    @property
    def session(self) -> Session:
        return self._player.session

    def __rshift__(self, event: Event) -> Playbook:
        assert not self._outputs, f"not expected: {self._outputs}"
        self._events.append(event)
        try:
            self._player.play(event)
        finally:
            self._outputs = self._player.collect()
        self._keeps_denied_inside(self._player)
        return self

    def __lshift__(self, expected: Output) -> Playbook:
        assert self._outputs, f"nothing came, expected: {expected}"
        output = self._outputs.pop(0)
        if isinstance(expected, Asks):
            assert isinstance(output, Decide) and expected.matches(output.request), f"{output} is not {expected}"
        else:
            assert output == expected
        return self

    def done(self, cut: bool = True) -> None:
        assert not self._outputs, f"not expected: {self._outputs}"
        if not cut:
            return
        for size in (1, 2, 3, 5, 7, 11, 64):
            self._same(lambda data, size=size: [data[i : i + size] for i in range(0, len(data), size)])
        longest = max((len(e.data) for e in self._events if isinstance(e, FromClient | FromUpstream)), default=0)
        for place in range(1, min(longest, 400)):
            self._same(lambda data, place=place: [data[:place], data[place:]])

    def _same(self, cut: Callable[[bytes], list[bytes]]) -> None:
        player = Player(self._make())
        for event in self._events:
            if isinstance(event, FromClient | FromUpstream):
                for piece in cut(event.data):
                    player.play(type(event)(piece))
                    player.collect()
                    self._keeps_denied_inside(player)
            else:
                player.play(event)
                player.collect()
                self._keeps_denied_inside(player)
        assert player.trace == self.trace

    def _keeps_denied_inside(self, player: Player) -> None:
        inside = {*player.denied} | ({player.asked.text} if player.asked is not None else set())
        for text in inside - player.forwarded - {""}:
            assert text.encode() not in player.trace.to_upstream
