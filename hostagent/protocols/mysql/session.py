"""The MySQL session, from the connection to the server to the end: opening, and then two directions.

    CONNECTING ──▶ OPENING ──server logged in to──▶ ASKING ──settings known──▶ RELAY
                   opening.py, login.py              settings.py                frontend.py, backend.py

The server speaks first, so the session asks to be connected before it has a byte of the client. What a stage does not
expect is a `PeerError`; what we do not want is `Refused`. Both end the session, and the client gets an ERR. Passwords
pass only in OPENING and are never captured.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from hostagent.content.detector import Detector
from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Connect, Leg, Request, Session
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql.backend import Backend
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import DENIED, MALFORMED, NETWORK, Refused
from hostagent.protocols.mysql.frontend import Frontend
from hostagent.protocols.mysql.net import Net
from hostagent.protocols.mysql.opening import Opening
from hostagent.protocols.mysql.packets import HEADER_SIZE, length_at
from hostagent.values.decision import Decision


class Stage(Enum):
    """Where the session stands."""

    CONNECTING = "the upstream leg is being opened"
    OPENING = "greetings and login"
    ASKING = "the server is asked for its settings"
    RELAY = "statements"
    CLOSED = "ended"


class MysqlSession(Session):
    """One client's conversation with one server."""

    goes_on_without_cancel = True

    def __init__(self, config: MysqlConfig) -> None:
        super().__init__()
        self._config = config
        self._stage = Stage.CONNECTING
        self._client = Inbox()
        self._server = Inbox()
        self._conversation = Conversation(self, config.limits, config.target)
        self._opening = Opening(self._conversation, config)
        self._backend = Backend(self._conversation)
        self._frontend = Frontend(self._conversation, self._client, self._backend)
        self.commands.append(Connect())

    def __repr__(self) -> str:
        where = repr(self._opening) if self._stage is Stage.OPENING else self._stage.value
        return f"<MysqlSession {self._config.target}: {where}>"

    # --- events -----------------------------------------------------------------------------------------------

    @property
    def client_held(self) -> bool:
        """True while a decision is awaited, or the client speaks too early."""
        if self._stage is Stage.RELAY:
            return self._frontend.held
        return len(self._client) > self._config.limits.early

    def look_through(self, detector: Detector | None) -> None:
        """Look through rows and messages with these detectors from the next result on."""
        net = self._conversation.net
        if detector is None:
            self._conversation.net = None
        elif net is None or net.detector is not detector:
            self._conversation.net = Net(detector)

    def client_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._stage is Stage.CLOSED or not data:
            return
        self._client.feed(data)
        self._guard(self._read_client)

    def upstream_data(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._stage is Stage.CLOSED or not data:
            return
        if self._stage in (Stage.ASKING, Stage.RELAY):
            self._guard(lambda: self._relay(data))
        else:
            self._server.feed(data)
            if self._stage is Stage.OPENING:
                self._guard(self._read_server)

    def client_eof(self) -> None:
        """The client is gone; what it had running is cut off with the upstream leg."""
        if self._stage is not Stage.CLOSED:
            self._end("")

    def connected(self) -> None:
        """The upstream leg is open: the server greets, or has done so already."""
        if self._stage is Stage.CLOSED:
            return
        if self._stage is not Stage.CONNECTING:
            raise ValueError("connected without having asked for it")
        self._stage = Stage.OPENING
        self._guard(self._read_server)

    def upstream_lost(self, reason: str) -> None:
        """Tell the client why, unless the server has ended the session in an ordinary way."""
        if self._stage is Stage.CLOSED:
            return
        told = self._stage is Stage.RELAY or self._opening.failed
        if reason or not told:
            where = f"target {self._config.target}: " if self._config.target else ""
            self._tell(Refused(NETWORK, where + (reason or "the server closed the connection")))
        self._end(reason)

    def tls_started(self, leg: Leg, binding: bytes) -> None:  # noqa: ARG002
        """TLS is up on that leg."""
        if self._stage is Stage.CLOSED:
            return
        self._guard(lambda: self._opening.tls_started(leg))

    def cancel_found(self, upstream: bytes) -> None:  # noqa: ARG002
        """The session that the client wants to kill is one of the same actor."""
        if self._stage is Stage.RELAY:
            self._guard(self._frontend.kills_own)

    def cancel_not_found(self, withdrawn: bool) -> None:
        """It is not; or what it had running was held for a human, and is not any more."""
        if self._stage is Stage.RELAY:
            self._guard(lambda: self._frontend.kills_other(withdrawn))

    def look_up(self, question: str) -> None:
        """Ask the server something of our own while a decision is awaited."""
        if self._stage is Stage.RELAY:
            self._conversation.look_up(question)

    def hold(self, request: Request, decision: Decision) -> None:
        """Gather what a human is to be shown."""
        if self._stage is Stage.RELAY:
            self._guard(lambda: self._frontend.hold(request, decision))

    def progress(self) -> tuple[str, int, int] | None:
        """What the server answers now."""
        expected = self._conversation.expected
        run = expected.run if expected is not None else None
        return None if run is None else (run.decision_id, run.rows, run.bytes)

    def cut_off(self, reason: str) -> None:
        """End the session as soon as the row that is on its way is whole."""
        if self._stage is Stage.RELAY:
            refused = Refused(DENIED, f"denied by policy: {reason}. The session ends: its result was cut off")
            self._guard(lambda: self._backend.cut_off(refused))

    def notify(self, decision: Decision, seconds: int, minimum: int) -> None:
        """Nothing can be said to a client of this protocol while it waits for its answer."""

    def decided(self, request: Request, decision: Decision) -> None:
        """Go on with the command that was asked about."""
        if self._stage is Stage.RELAY:
            self._guard(lambda: self._frontend.decided(request, decision))

    def ended(self) -> None:
        """Nothing more comes from either side: what was on the way was cut off."""
        self._stage = Stage.CLOSED
        self._conversation.abandon()

    # --- ends -------------------------------------------------------------------------------------------------

    def _guard(self, step: Callable[[], None]) -> None:
        """Run a step. What is refused ends the session; so does a peer's error, which is raised again."""
        try:
            step()
        except Refused as refused:
            self._tell(refused)
            self._end(refused.text)
        except PeerError as error:
            self._tell(Refused(MALFORMED, f"protocol violation: {error}"))
            self._stage = Stage.CLOSED
            self._conversation.abandon()
            raise
        if self._conversation.closed:
            self._stage = Stage.CLOSED

    def _tell(self, refused: Refused) -> None:
        """The client gets an ERR, where it is in a state to read one."""
        if self._stage is Stage.RELAY:
            self.to_client.append(refused.packet(self._backend.sequence + 1, greeted=True))
        elif self._opening.starting is not Leg.CLIENT:
            self.to_client.append(self._opening.error(refused))

    def _end(self, reason: str) -> None:
        self._stage = Stage.CLOSED
        self._conversation.abandon()
        self.commands.append(Close(reason))

    # --- opening ----------------------------------------------------------------------------------------------

    def _read_client(self) -> None:
        if self._stage is Stage.RELAY:
            self._frontend.run()
            return
        while self._stage is Stage.OPENING and self._opening.awaits_client:
            found = self._next_packet(self._client)
            if found is None:
                return
            self._opening.from_client(*found, self._client)
        if len(self._client) > 2 * self._config.limits.early:
            raise PeerError("too many bytes from the client before it was let in")

    def _read_server(self) -> None:
        while not self._opening.ready and not self._opening.failed:
            found = self._next_packet(self._server)
            if found is None:
                break
            self._opening.from_server(*found)
        if self._opening.ready:
            self._stage = Stage.ASKING
            if rest := self._server.take():
                self._relay(rest)
        elif self._stage is Stage.OPENING:
            self._read_client()

    def _next_packet(self, inbox: Inbox) -> tuple[int, bytes] | None:
        """The next whole packet's sequence number and payload, or None when it is not whole yet."""
        inbox.need = HEADER_SIZE
        if not inbox.ready():
            return None
        length = length_at(inbox.data, inbox.pos)
        if length > self._config.limits.login_packet:
            raise PeerError("a packet of impossible length")
        inbox.need = HEADER_SIZE + length
        if not inbox.ready():
            return None
        start = inbox.pos + HEADER_SIZE
        inbox.pos, inbox.need = start + length, 1
        return inbox.data[start - 1], inbox.data[start : start + length]

    # --- statements -------------------------------------------------------------------------------------------

    def _relay(self, data: bytes) -> None:
        self._backend.feed(data)
        if self._conversation.expected is not None:
            return
        if self._stage is Stage.ASKING:
            self._opening.let_in()
            self._stage = Stage.RELAY
        self._frontend.run()
