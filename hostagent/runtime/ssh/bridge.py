"""The two SSH connections of one flow, and what is asked between them.

    client ──▶ our server (client.Server) ──decided──▶ channel ──▶ our client (upstream.Login) ──▶ server

Rules
1. Nothing is opened upstream, not even the connection, before an operation was let through.
2. Each operation is asked about by `decide`; what it returns is recorded, and the pump lets nothing upstream before.
3. When either connection ends, so does the other, with the reason in a DISCONNECT, and the flow with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING

import asyncssh

from hostagent.content.detector import Detector
from hostagent.policy.ssh import decide_operation, decided_by_line
from hostagent.protocols.base import Close, Command, Connect, Describe, FinishedWith, Phase, Request, Rule
from hostagent.protocols.ssh.greeting import Hello
from hostagent.recording.event import FlowContext
from hostagent.recording.journal import RecordingError
from hostagent.runtime.ssh.client import Server, ServerConnection
from hostagent.runtime.ssh.forwards import x11_opened
from hostagent.runtime.ssh.identity import FAST, Identity
from hostagent.runtime.ssh.lines import DENIED
from hostagent.runtime.ssh.transport import MemoryTransport
from hostagent.runtime.ssh.upstream import Login, LoginFailed
from hostagent.runtime.ssh.windows import ClientSide
from hostagent.ssh.operation import Operation
from hostagent.values.decision import Decision, Outcome, Ruling
from hostagent.values.target import Target

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow
    from hostagent.runtime.ssh.channel import SessionChannel
    from hostagent.runtime.ssh.session import SshSession

log = logging.getLogger("hostagent.ssh")

FEED = 64 << 10  # bytes given to asyncssh at once: it copies what is left of them after each packet


class Bridge:
    """One flow's two connections."""

    def __init__(
        self,
        flow: Flow,
        target: Target,
        context: FlowContext,
        host: str,
        identity: Identity,
    ) -> None:
        self.flow = flow
        self.target = target
        self.context = context
        self.host = host
        self.identity = identity
        self.login = ""  # the name that the client asked for
        self.detector: Detector | None = None
        self.session: SshSession
        self._loop = asyncio.get_running_loop()
        self._server: ServerConnection | None = None
        self._upstream: ClientSide | None = None
        self._login: Login | None = None
        self._logged_in = False
        self._opening: asyncio.Task[ClientSide] | None = None
        self._reached: asyncio.Future[None] | None = None
        self._asked: dict[int, tuple[asyncio.Future[Decision], SessionChannel | None]] = {}
        self._user = ""  # once it was decided for
        self.channels: set[SessionChannel] = set()
        self.displays: dict[SessionChannel, Decision] = {}  # channels whose X clients may come to the client
        self._early: list[bytes] = []  # what the server said before our side of its connection was made
        self._held: dict[int, str] = {}  # request → decision that a human is asked about
        self._numbers = 0
        self._channels = 0
        self._inside = False  # a call of the pump, which takes what lies in the lists when it returns
        self._woken = False
        self._over = False  # it ends
        self._closed = False  # it has ended

    # the client's connection

    def serve(self, hello: Hello) -> None:
        """Speak with a client that said this; our version line was said before.

        The client's word on ciphers counts, so a fast one that it has is offered alone.
        """
        options = self.identity.server_options(hello)
        options.protocol_factory = lambda: Server(self)
        if fast := [name.encode() for name in FAST if name in hello.ciphers]:
            options.encryption_algs = fast
        self._server = ServerConnection(self._loop, options)
        said = len(self.session.to_client)
        self._server.connection_made(MemoryTransport(self._to_client, self._client_closed))
        del self.session.to_client[said:]

    def client_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._server is not None:
            self._feed(self._server, data)

    def client_gone(self) -> None:
        """The client closed its side."""
        self._over = True

    def logged_in(self, login: str) -> None:
        """The client is let in, under the name that it asked for."""
        self.login = login
        version = self.server.get_extra_info("client_version") or ""
        facts = (("user", login), ("upstream_user", self.user), ("client", str(version)[:255]))
        self.command(Describe(facts))

    @property
    def user(self) -> str:
        """Who is logged in as upstream: the credential's word, else the name that the client asked for."""
        if not self._user:
            entries = self.flow.worker.gate.policy.credentials
            of_policy = next((entry.user for entry in entries if entry.name == self.target.credential), None)
            self._user = of_policy or self.login
        return self._user

    @property
    def server(self) -> ServerConnection:
        """Our side of the client's connection."""
        assert self._server is not None
        return self._server

    def next_channel(self) -> int:
        """A number for a channel: never used twice in a flow."""
        self._channels += 1
        return self._channels

    # deciding

    async def decide(self, operation: Operation, channel: SessionChannel | None = None, number: int = 0) -> Decision:
        """The decision on an operation, recorded; `number` is its channel's, 0 for none.

        Raises ChannelOpenError when the flow has ended.
        """
        if self._closed:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "the connection has ended")
        ruling = self.ruling(operation)
        self._numbers += 1
        request = Request(self._numbers, Phase.EXECUTE, operation.text, _facts(operation, number, self.login))
        future: asyncio.Future[Decision] = self._loop.create_future()
        self._asked[request.number] = future, channel
        try:
            self.command(Rule(request, ruling))
            return await future
        finally:
            self._asked.pop(request.number, None)
            self._held.pop(request.number, None)

    def ruling(self, operation: Operation) -> Ruling:
        """What the policy in force says of it."""
        flow = self.flow
        return decide_operation(flow.worker.gate.policy, flow.actors, flow.target_name, operation)

    def by_line(self, shell: Operation) -> bool:
        """Whether a shell without a terminal is decided a line at a time."""
        flow = self.flow
        return decided_by_line(flow.worker.gate.policy, flow.actors, flow.target_name, shell)

    def decided(self, request: Request, decision: Decision) -> None:
        """The pump's answer."""
        found = self._asked.get(request.number)
        if found is not None and not found[0].done():
            found[0].set_result(decision)

    def hold(self, request: Request, decision: Decision) -> None:
        """A human is asked first."""
        self._held[request.number] = decision.id

    def notify(self, decision: Decision, seconds: int, minimum: int) -> None:
        """Tell the channel that waits for that decision."""
        number = next((number for number, held in self._held.items() if held == decision.id), 0)
        _, channel = self._asked.get(number, (None, None))
        if channel is not None:
            people = "a human" if minimum == 1 else f"{minimum} humans"
            channel.tell(f"waiting for {people} to approve this, for at most {seconds} s: decision {decision.id}")

    def withdrawn(self, request: Request) -> bool:
        """Whether the channel that asked is closed."""
        future, channel = self._asked.get(request.number, (None, None))
        if future is not None and channel is not None and channel.is_closed:
            future.cancel()
            channel.end(DENIED)
            return True
        return future is None

    def finished(self, decision: str, outcome: Outcome, facts: tuple[tuple[str, str | int], ...]) -> None:
        """What that decision let through has ended."""
        self.flow.finished_with(FinishedWith(decision, outcome, facts))

    # the upstream connection

    async def upstream(self) -> ClientSide:
        """The connection to the server, opened when first asked for. Raises LoginFailed, after it ended the flow."""
        if self._opening is None:
            self._opening = self._loop.create_task(self._log_in())
        try:
            return await asyncio.shield(self._opening)
        except LoginFailed as error:
            self.fail(error.what)
            raise

    async def _log_in(self) -> ClientSide:
        login = self._login = Login(self)
        options = await login.options()
        if login.user != self.user:
            raise LoginFailed("the policy has changed since this was decided: connect again")
        self._reached = self._loop.create_future()
        self.command(Connect())
        await self._reached
        waiter: asyncio.Future[None] = self._loop.create_future()
        options.waiter = waiter
        connection = self._upstream = ClientSide(self._loop, options, wait="auth")
        connection.x11_opened = lambda host, port: x11_opened(self, host, port)
        connection.is_read = self.flow.upstream.transport.is_reading
        connection.silent = lambda seconds: self.fail(f"the server has not answered for {seconds:g} s")
        connection.connection_made(MemoryTransport(self._to_upstream, self._upstream_closed))
        early, self._early = self._early, []
        for data in early:
            self._feed(connection, data)
        self._wake()
        try:
            await waiter
        except (asyncssh.Error, OSError) as error:
            raise LoginFailed(login.why(error)) from None
        self._logged_in = True
        return connection

    def reached(self, reason: str) -> None:
        """The upstream leg is open; or it is not, for that reason."""
        if self._reached is not None and not self._reached.done():
            if reason:
                self._reached.set_exception(LoginFailed(reason))
            else:
                self._reached.set_result(None)

    def upstream_received(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._upstream is not None:
            self._feed(self._upstream, data)
        else:
            self._early.append(data)

    def upstream_gone(self, reason: str) -> None:
        """The upstream leg ended."""
        refused = self._login.refused if self._login is not None and not self._logged_in else ""
        why = refused or reason or "the server closed the connection"
        self.reached(why)
        if self._upstream is not None:
            self._upstream.connection_lost(None)
            self.fail(why)

    def upstream_ended(self, error: Exception | None) -> None:
        """The server, or what it sent, has ended its connection."""
        if self._opening is not None and self._opening.done():
            why = _reason(error)
            self.fail(f"the server ended the connection: {why}" if why else "the server ended the connection")

    # the ends

    def fail(self, reason: str) -> None:
        """End both connections; the client is told why."""
        if self._over:
            return
        self._over = True
        if self._server is not None and not self._server.is_closed():
            self._server.disconnect(asyncssh.DISC_BY_APPLICATION, reason)
        self.command(Close(reason))

    def client_ended(self, error: Exception | None) -> None:
        """The client, or what it sent, has ended its connection."""
        if not self._over:
            self._over = True
            why = _reason(error)
            self.command(Close(f"SSH with the client failed: {why}" if why else ""))

    def close(self) -> None:
        """The flow has ended."""
        self._over = self._closed = True
        for channel in list(self.channels):
            channel.finish()
        for future, _ in list(self._asked.values()):
            future.cancel()
        if self._opening is not None:
            self._opening.cancel()
        for connection in (self._server, self._upstream):
            if connection is not None and not connection.is_closed():
                connection.connection_lost(None)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run this beside; what it raises ends the flow."""
        self.flow.spawn(_quietly(work))

    def capture(self, number: int, stream: int, data: bytes) -> bool:
        """Record bytes of a channel; where that cannot be done the flow ends, and they go nowhere."""
        try:
            self.flow.tape.channel(number, stream, data)
        except RecordingError as error:
            self.flow.end(f"not recorded: {error.what}")
            return False
        return True

    # between asyncssh and the pump

    def command(self, command: Command) -> None:
        """Have the pump do this."""
        self.session.commands.append(command)
        self._wake()

    def _to_client(self, data: bytes) -> None:
        self.session.to_client.append(data)
        self._wake()

    def _to_upstream(self, data: bytes) -> None:
        self.session.to_upstream.append(data)
        self._wake()

    def _wake(self) -> None:
        if not self._inside and not self._woken:
            self._woken = True
            self._loop.call_soon(self._awake)

    def _awake(self) -> None:
        self._woken = False
        self.flow.wake()

    def _feed(self, connection: asyncssh.SSHServerConnection | ClientSide, data: bytes) -> None:
        self._inside = True
        try:
            for start in range(0, len(data), FEED):
                connection.data_received(data[start : start + FEED])
        finally:
            self._inside = False

    def _client_closed(self) -> None:
        self.client_ended(None)

    def _upstream_closed(self) -> None:
        self.upstream_ended(None)


def _reason(error: Exception | None) -> str:
    """Why a connection ended, in words that a peer may read; nothing for an ordinary end."""
    if error is None or isinstance(error, asyncssh.ConnectionLost):
        return ""
    if isinstance(error, asyncssh.DisconnectError):
        return error.reason
    log.error("ssh_failed", exc_info=error)
    return "internal error"


def _facts(operation: Operation, number: int, login: str) -> tuple[str, ...]:
    """What the event of a request says of it: `name=value`."""
    facts = {"kind": operation.kind.value, "login": operation.login, "channel": str(number or "")}
    facts |= {"requested_login": login if login != operation.login else "", "destination": operation.destination}
    return tuple(f"{name}={value}" for name, value in facts.items() if value)


async def _quietly(work: Coroutine[object, object, None]) -> None:
    """Nobody waits for what comes of this: the client was told, or has gone."""
    with contextlib.suppress(LoginFailed, asyncssh.Error, BrokenPipeError):
        await work
