"""The PostgreSQL session, from a client's first byte to the end: opening, login, and then two directions.

    FIRST ──StartupMessage──▶ CONNECTING ──▶ TLS_ANSWER ──▶ UPSTREAM_TLS ──▶ LOGIN ──first ReadyForQuery──▶ RELAY
    ▲ │  SSLRequest, GSSENCRequest,              └────── tls: off ────────────▲  opening.py          frontend.py,
    │ ▼  direct TLS, CancelRequest                                              auth.py, probe.py    backend.py
  CLIENT_TLS

`_stage` names where it stands. What a stage does not expect is a `PeerError`; what we do not want is `Refused`, which
the client gets as a FATAL error. Both end the session. Passwords pass only in LOGIN and are never captured.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from hostagent.content.detector import Detector
from hostagent.errors import PeerError
from hostagent.protocols.base import Cancel, Close, Connect, Leg, Request, Session, StartTls
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.approval import notice
from hostagent.protocols.postgres.backend import Backend
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.conversation import CONNECTION_FAILURE, Conversation
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.frontend import Frontend
from hostagent.protocols.postgres.net import Net
from hostagent.protocols.postgres.opening import Opening
from hostagent.protocols.postgres.questions import Questions
from hostagent.protocols.postgres.startup import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    SSL_REQUEST,
    Packet,
    Startup,
    parse_cancel,
    parse_startup,
    read_packet,
)
from hostagent.values.decision import Decision
from hostagent.values.target import UpstreamTls

ALPN = ("postgresql",)
TLS_RECORD = 0x16


class Stage(Enum):
    """Where the session stands."""

    FIRST = "waits for the client's startup message"
    CLIENT_TLS = "TLS begins on the client leg"
    CONNECTING = "the upstream leg is being opened"
    TLS_ANSWER = "waits whether the server speaks TLS"
    UPSTREAM_TLS = "TLS begins on the upstream leg"
    LOGIN = "the server is logged in to"
    RELAY = "statements"
    CANCEL = "a cancel key is looked up, or was handed over"
    CLOSED = "ended"


class PostgresSession(Session):
    """One client's conversation with one server."""

    def __init__(self, config: PostgresConfig) -> None:
        super().__init__()
        self._config = config
        self._stage = Stage.FIRST
        self._client = Inbox()
        self._server = Inbox()
        self._client_tls = False
        self._binding = b""
        self._client_binding = b""
        self._startup: Startup | None = None
        self._opening: Opening | None = None
        self._cancel_key = b""
        self._conversation = Conversation(self, config.limits)
        self._frontend = Frontend(self._conversation, self._client)
        self._backend = Backend(self._conversation)
        self._questions = Questions(self._conversation)

    def __repr__(self) -> str:
        return f"<PostgresSession {self._config.target}: {self._stage.value}>"

    # --- events -----------------------------------------------------------------------------------------------

    @property
    def client_held(self) -> bool:
        """True while a decision is awaited, the server has too much to answer, or the client speaks too early."""
        if self._stage is Stage.RELAY:
            return self._frontend.held
        return len(self._client) > self._config.limits.early

    def look_through(self, detector: Detector | None) -> None:
        """Results go through a net from now on, or through none."""
        self._conversation.net = None if detector is None else Net(detector)

    def client_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._stage is Stage.CLOSED or not data:
            return
        self._client.feed(data)
        try:
            self._read_client()
        except (Refused, PeerError) as error:
            self._failed(error)

    def upstream_data(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._stage is Stage.CLOSED or not data:
            return
        if self._stage is not Stage.RELAY:
            self._server.feed(data)
            self._guard(self._read_server)
            return
        try:
            self._relay_upstream(data)
        except (Refused, PeerError) as error:
            self._failed(error)

    def client_eof(self) -> None:
        """The client is gone; what it had running is cut off with the upstream leg."""
        if self._stage is not Stage.CLOSED:
            self._end("")

    def connected(self) -> None:
        """The upstream leg is open: ask for TLS, or start."""
        if self._stage is Stage.CLOSED:
            return
        if self._stage is not Stage.CONNECTING:
            raise ValueError("connected without having asked for it")
        if self._config.upstream_tls is UpstreamTls.OFF:
            self._send_startup()
        else:
            self.to_upstream.append(messages.untyped(SSL_REQUEST))
            self._stage = Stage.TLS_ANSWER

    def upstream_lost(self, reason: str) -> None:
        """Tell the client why, unless the server has ended the session in an ordinary way."""
        if self._stage is Stage.CLOSED:
            return
        told = self._stage in (Stage.RELAY, Stage.CANCEL) or (self._opening is not None and self._opening.failed)
        if reason or not told:
            why = reason or "the server closed the connection"
            where = f"target {self._config.target}: " if self._config.target else ""
            self.to_client.append(Refused(CONNECTION_FAILURE, where + why).response())
        self._end(reason)

    def tls_started(self, leg: Leg, binding: bytes) -> None:
        """TLS is up on that leg."""
        if self._stage is Stage.CLOSED:
            return
        if leg is Leg.CLIENT and self._stage is Stage.CLIENT_TLS:
            self._client_tls = True
            self._client_binding = binding
            self._stage = Stage.FIRST
        elif leg is Leg.UPSTREAM and self._stage is Stage.UPSTREAM_TLS:
            self._binding = binding
            self._send_startup()
        else:
            raise ValueError("TLS without having asked for it")

    def cancel_found(self, upstream: bytes) -> None:
        """Take the server's own key there."""
        if self._stage is Stage.CLOSED:
            return
        if self._stage is not Stage.CANCEL or self._cancel_key:
            raise ValueError("a cancel key that was not asked for")
        self._cancel_key = upstream
        self._stage = Stage.CONNECTING
        self.commands.append(Connect())

    def look_up(self, question: str) -> None:
        """Ask the server something of our own while a decision is awaited."""
        if self._stage is Stage.RELAY:
            self._questions.ask(question)

    def hold(self, request: Request, decision: Decision) -> None:
        """Gather what a human is to be shown."""
        if self._stage is Stage.RELAY:
            self._guard(lambda: self._frontend.hold(request, decision))

    def progress(self) -> tuple[str, int, int] | None:
        """What the server answers now."""
        head = self._conversation.queue.head
        run = head.run if head is not None else None
        return None if run is None else (run.decision_id, run.rows, run.bytes)

    def cut_off(self, reason: str) -> None:
        """End the session as soon as the message that is on its way is whole."""
        if self._stage is Stage.RELAY:
            refused = Refused("53400", f"denied by policy: {reason}", "The session ends: its result was cut off.")
            self._guard(lambda: self._backend.cut_off(refused))

    def notify(self, decision: Decision, seconds: int, minimum: int) -> None:
        """Put a notice of ours between the messages of the server."""
        if self._stage is Stage.RELAY:
            self._backend.interject(notice(decision.id, seconds, minimum))

    def decided(self, request: Request, decision: Decision) -> None:
        """Go on with the message that was asked about."""
        if self._stage is not Stage.RELAY:
            self._conversation.unsent(request, decision, CONNECTION_FAILURE)
            return
        try:
            self._frontend.decided(request, decision)
        except (Refused, PeerError) as error:
            self._failed(error)
        self._after_relay()

    def ended(self) -> None:
        """Nothing more comes from either side: what was on the way was cut off."""
        self._stage = Stage.CLOSED
        self._conversation.abandon()

    # --- ends -------------------------------------------------------------------------------------------------

    def _guard(self, step: Callable[[], None]) -> None:
        """Run a step of the opening."""
        try:
            step()
        except (Refused, PeerError) as error:
            self._failed(error)

    def _failed(self, error: Refused | PeerError) -> None:
        """End the session; the client is told in its own protocol. A peer's error is raised again."""
        if isinstance(error, Refused):
            self.to_client.append(error.response())
            self._end(error.text)
            return
        if self._stage is not Stage.CLIENT_TLS:
            self.to_client.append(messages.error_response("FATAL", "08P01", f"protocol violation: {error}"))
        self._stage = Stage.CLOSED
        self._conversation.abandon()
        raise error

    def _end(self, reason: str) -> None:
        self._stage = Stage.CLOSED
        self._conversation.abandon()
        self.commands.append(Close(reason))

    # --- opening: the client ----------------------------------------------------------------------------------

    def _read_client(self) -> None:
        if self._stage is Stage.RELAY:
            self._frontend.run()
            self._after_relay()
        elif self._stage is Stage.FIRST:
            self._read_first()
        elif self._stage is Stage.LOGIN:
            self._read_answer()
        elif self._stage is Stage.CLIENT_TLS:
            raise PeerError("bytes between SSLRequest and its answer")
        if self._stage is not Stage.RELAY and len(self._client) > 2 * self._config.limits.early:
            raise PeerError("too many bytes from the client before it was logged in")

    def _read_first(self) -> None:
        while self._stage is Stage.FIRST:
            if not self._client_tls and len(self._client) and self._client.data[self._client.pos] == TLS_RECORD:
                self._direct_tls()
                return
            packet = read_packet(self._client)
            if packet is None:
                return
            self._packet(packet)

    def _direct_tls(self) -> None:
        if not self._config.client_tls:
            raise PeerError("TLS, which is not offered here")
        self._stage = Stage.CLIENT_TLS
        self.commands.append(StartTls(Leg.CLIENT, ALPN, self._client.take()))

    def _packet(self, packet: Packet) -> None:
        if packet.code in (SSL_REQUEST, GSS_REQUEST):
            self._encryption_request(packet)
        elif packet.code == CANCEL_REQUEST:
            self._stage = Stage.CANCEL
            self.commands.append(Cancel(parse_cancel(packet)))
        else:
            self._startup = parse_startup(packet)
            self._stage = Stage.CONNECTING
            self.commands.append(Connect())

    def _encryption_request(self, packet: Packet) -> None:
        if packet.body or self._client_tls:
            raise PeerError("an encryption request that does not belong here")
        if len(self._client):
            raise PeerError("bytes behind an encryption request that was not answered yet")
        if packet.code == SSL_REQUEST and self._config.client_tls:
            self.to_client.append(b"S")
            self._stage = Stage.CLIENT_TLS
            self.commands.append(StartTls(Leg.CLIENT, ALPN))
        else:
            self.to_client.append(b"N")

    # --- opening: the server ----------------------------------------------------------------------------------

    def _read_server(self) -> None:
        if self._stage is Stage.TLS_ANSWER:
            self._read_tls_answer()
        elif self._stage is Stage.LOGIN:
            self._read_login()
        else:
            raise PeerError("bytes from the server before it was asked anything")

    def _read_tls_answer(self) -> None:
        answer = self._server.take()
        if answer[:1] != b"S":
            raise Refused(
                "08001",
                f"target {self._config.target} does not speak TLS, and the policy demands it",
                "Turn TLS on at the server, or say `tls: off` for the target.",
            )
        if len(answer) > 1:
            raise PeerError("bytes from the server between its answer to SSLRequest and TLS")
        self._stage = Stage.UPSTREAM_TLS
        self.commands.append(StartTls(Leg.UPSTREAM, ALPN))

    def _send_startup(self) -> None:
        if self._cancel_key:
            self.to_upstream.append(messages.untyped(CANCEL_REQUEST, self._cancel_key))
            self._stage = Stage.CANCEL  # the server answers by closing
            return
        assert self._startup is not None
        self._opening = Opening(
            self,
            self._config,
            self._conversation.settings,
            self._startup,
            self._client_tls,
            self._binding,
            self._client_binding,
        )
        self._stage = Stage.LOGIN

    def _read_login(self) -> None:
        assert self._opening is not None
        while not self._opening.ready:
            whole = self._next_message()
            if whole is None:
                self._read_answer()
                return
            self._opening.message(whole)
        self._stage = Stage.RELAY
        self._relay_upstream(self._server.take())
        self._frontend.run()
        self._after_relay()

    def _next_message(self) -> bytes | None:
        """The server's next whole message, or None when it is not whole yet."""
        inbox = self._server
        inbox.need = messages.HEADER_SIZE
        if not inbox.ready():
            return None
        _, length = messages.HEADER.unpack_from(inbox.data, inbox.pos)
        if not 4 <= length <= self._config.limits.server_message:
            raise PeerError("a message of impossible length from the server")
        inbox.need = length + 1
        if not inbox.ready():
            return None
        inbox.pos += length + 1
        inbox.need = 1
        return inbox.data[inbox.pos - length - 1 : inbox.pos]

    def _read_answer(self) -> None:
        if self._opening is not None and self._opening.answered(self._client):
            self._end("")

    # --- statements -------------------------------------------------------------------------------------------

    def _relay_upstream(self, data: bytes) -> None:
        if data:
            self._backend.feed(data)
        self._questions.resume()
        if self._frontend.stalled:
            self._frontend.run()
            self._after_relay()

    def _after_relay(self) -> None:
        if self._conversation.closed:
            self._stage = Stage.CLOSED
