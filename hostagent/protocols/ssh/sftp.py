"""SftpGuard: between a client's sftp channel and the server's. Every operation is decided before its packet goes on.

It is given the bytes of both and gives bytes for both, and operations to be decided. It is neither client nor server:
what the server replies passes as it is. Rules:

1. One request at a time is looked into. Those behind it are held, as bytes, in their order, until it is decided; the
   bytes of files (READ, WRITE) pass on the handle's decision without that.
2. While a request of a client is looked into, the server is asked with request ids of our own: no other request goes to
   the server meanwhile, so an id that no reply is due for can be no other's.
3. Each request has one reply, of a type that answers it. Anything else from the server ends the session, as does a
   packet of the client that cannot be read, or is longer than `MAX_PACKET`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hostagent.errors import PeerError
from hostagent.protocols.ssh import sftp_messages as sftp
from hostagent.protocols.ssh.sftp_extensions import EXTENSIONS, extended
from hostagent.protocols.ssh.sftp_handles import Handle, Handles
from hostagent.protocols.ssh.sftp_messages import Fields, Packets, id_of
from hostagent.protocols.ssh.sftp_paths import canonical
from hostagent.protocols.ssh.sftp_requests import HANDLERS, Context, Refusal, Request, code_of
from hostagent.protocols.ssh.sftp_steps import Answer, Answered, Ask, End, Forward, Steps, Verdict
from hostagent.protocols.ssh.transfer import Transfer
from hostagent.ssh.operation import Operation

MAX_OUTSTANDING: Final = 1024  # requests without a reply; OpenSSH's client has 64, others send all of a file's at once
HELD_BYTES: Final = 4 + sftp.MAX_PACKET  # of requests that wait; beyond it the client is not read
_FIRST_OWN: Final = 0x8000_0000  # where our request ids begin; clients count from 0
_INIT_SIZE: Final = 5  # of an INIT or VERSION: type and version


class _Read:
    __slots__ = ("handle", "length", "offset")

    def __init__(self, handle: Handle, offset: int, length: int) -> None:
        self.handle = handle
        self.offset = offset
        self.length = length


class _Write:
    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        self.handle = handle


class _Own:
    """A question of ours: the place of its reply among the answers."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


class SftpGuard:
    """One sftp session of `login`. After each call take what the lists hold, and clear them.

    `asked` are operations to decide, each answered by `decided` with its token; `finished` what became of files.
    """

    def __init__(self, login: str) -> None:
        self.to_client: list[bytes] = []
        self.to_server: list[bytes] = []
        self.asked: list[tuple[int, Operation]] = []
        self.finished: list[Transfer] = []
        self._context = Context(login, b"/", Handles())
        self._client = Packets()
        self._server = Packets()
        self._state = "init"  # → version → home → open → closed
        self._pending: dict[int, Forward | _Read | _Write | _Own] = {}
        self._steps: Steps[End] | None = None  # what the request that is looked into waits in
        self._current = 0  # its id
        self._replies: list[bytes | None] = []  # to our questions
        self._token = 0
        self._awaiting = False  # a verdict
        self._next_own = _FIRST_OWN

    def __repr__(self) -> str:
        return f"<SftpGuard {self._state} outstanding={len(self._pending)} held={len(self._client)}>"

    @property
    def client_held(self) -> bool:
        """Whether the client is not to be read for now."""
        return len(self._client) >= HELD_BYTES and self._blocked

    @property
    def _blocked(self) -> bool:
        return self._steps is not None or self._state != "open" or len(self._pending) >= MAX_OUTSTANDING

    def client_data(self, data: bytes) -> None:
        """Bytes from the client. Raises PeerError; then nothing goes on any more."""
        self._go(self._from_client, data)

    def server_data(self, data: bytes) -> None:
        """Bytes from the server. Raises PeerError; then nothing goes on any more."""
        self._go(self._from_server, data)

    def decided(self, token: int, allowed: bool, reason: str) -> None:
        """The answer to what was asked; `reason` is what a denied client is told. Raises PeerError, ValueError."""
        if self._state == "closed":
            return
        if not self._awaiting or token != self._token:
            raise ValueError(f"no operation {token} is to be decided")
        self._awaiting = False
        self._go(self._resume, Verdict(allowed, reason))

    def closed(self) -> None:
        """The channel has ended, on either side: files that are open are not complete."""
        self._state = "closed"
        self._context.handles.abandon()
        self._collect()

    def _go(self, step: Callable[[Any], None], given: bytes | Verdict) -> None:
        if self._state == "closed":
            return
        try:
            step(given)
            self._advance()
        except PeerError:
            self.closed()
            raise

    def _from_client(self, data: bytes) -> None:
        self._client.feed(data)
        if self._state == "init" and (packet := self._client.next()) is not None:
            self._init(packet)

    def _from_server(self, data: bytes) -> None:
        self._server.feed(data)
        while (packet := self._server.next()) is not None:
            if self._state == "version":
                self._version(packet)
            else:
                self._reply(packet)
        if self._context.handles.finished:
            self._collect()

    def _collect(self) -> None:
        self.finished += self._context.handles.finished
        self._context.handles.finished.clear()

    # --- the beginning

    def _init(self, packet: bytes) -> None:
        if packet[sftp.KIND] != sftp.INIT or Fields(packet, _INIT_SIZE).uint32() < sftp.VERSION_3:
            raise PeerError("an SFTP client that does not begin with INIT of version 3 or above")
        self.to_server.append(sftp.version(sftp.INIT))
        self._state = "version"

    def _version(self, packet: bytes) -> None:
        fields = Fields(packet, _INIT_SIZE)
        if packet[sftp.KIND] != sftp.VERSION or fields.uint32() != sftp.VERSION_3:
            raise PeerError("an SFTP server that does not speak version 3")
        offered = []
        while fields.pos < len(packet):
            name, data = fields.string(), fields.string()
            if name in EXTENSIONS and EXTENSIONS[name][0] == data:
                offered.append((name, data))
        self.to_client.append(sftp.version(sftp.VERSION, *offered))
        self._state = "home"
        self._steps = self._find_home()
        self._resume(None)

    def _find_home(self) -> Steps[End]:
        place = yield from canonical(b".", b"/", expand=False)
        self._context = Context(self._context.login, place.path, self._context.handles)
        self._state = "open"
        return Answered(b"")

    # --- requests

    def _advance(self) -> None:
        while not self._blocked and (packet := self._client.next()) is not None:
            kind, request_id = packet[sftp.KIND], id_of(packet)
            if request_id in self._pending:
                raise PeerError("an SFTP request with an id that is in use")
            try:
                if kind == sftp.READ:
                    self._read(packet, request_id)
                elif kind == sftp.WRITE:
                    self._write(packet, request_id)
                else:
                    self._begin(packet, kind, request_id)
            except Refusal as refusal:
                self.to_client.append(sftp.status(request_id, *refusal.args))

    def _read(self, packet: bytes, request_id: int) -> None:
        fields = Fields(packet)
        handle = self._context.handles.get(fields.string())
        offset, length = fields.uint64(), fields.uint32()
        fields.end()
        if handle is None or handle.reads is None:
            raise Refusal(sftp.FAILURE, "no handle that is open for reading")
        self._send(request_id, packet, _Read(handle, offset, length))

    def _write(self, packet: bytes, request_id: int) -> None:
        fields = Fields(packet)
        handle = self._context.handles.get(fields.string())
        offset, length = fields.uint64(), fields.uint32()
        start = fields.pos
        if start + length != len(packet):
            raise PeerError("a WRITE that is not as long as its data")
        if handle is None or handle.writes is None:
            raise Refusal(sftp.FAILURE, "no handle that is open for writing")
        handle.writes.add(offset, memoryview(packet)[start:])
        self._send(request_id, packet, _Write(handle))

    def _begin(self, packet: bytes, kind: int, request_id: int) -> None:
        handler = extended if kind == sftp.EXTENDED else HANDLERS.get(kind)
        if handler is None:
            raise Refusal(sftp.OP_UNSUPPORTED, "this request is not passed")
        self._current = request_id
        begun = handler(Request(packet, Fields(packet), self._context))
        if isinstance(begun, Forward | Answered):
            self._end(begun)
        else:
            self._steps = begun
            self._resume(None)

    def _resume(self, answer: Answer | None) -> None:
        """Let the request go on with that answer, to its end or to the next thing that it waits for."""
        if self._steps is None:
            raise ValueError("no request is looked into")
        try:
            wanted = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as stop:
            self._steps = None
            self._end(stop.value)
        except Refusal as refusal:
            self._steps = None
            self.to_client.append(sftp.status(self._current, *refusal.args))
        else:
            if isinstance(wanted, Ask):
                self._token += 1
                self._awaiting = True
                self.asked.append((self._token, wanted.operation))
            else:
                self._question(wanted.requests)

    def _question(self, requests: tuple[tuple[int, bytes], ...]) -> None:
        self._replies = [None] * len(requests)
        for index, (kind, fields) in enumerate(requests):
            while self._next_own in self._pending:
                self._next_own = (self._next_own + 1) & 0xFFFF_FFFF
            self._send(self._next_own, sftp.request(kind, self._next_own, fields), _Own(index))

    def _end(self, end: End) -> None:
        if isinstance(end, Answered):
            if end.packet:
                self.to_client.append(end.packet)
        else:
            self._send(self._current, end.packet, end)

    def _send(self, request_id: int, packet: bytes, pending: Forward | _Read | _Write | _Own) -> None:
        self._pending[request_id] = pending
        self.to_server.append(packet)

    # --- replies

    def _reply(self, packet: bytes) -> None:
        pending = self._pending.pop(id_of(packet), None)
        kind = packet[sftp.KIND]
        if pending is None:
            raise PeerError("the server replies to an SFTP request that was not made")
        if isinstance(pending, _Read):
            self._data(pending, packet, kind)
        elif isinstance(pending, _Write):
            if code_of(packet) != sftp.OK:
                pending.handle.fail()
        elif isinstance(pending, _Own):
            self._answer(pending.index, packet, kind)
            return
        elif kind != sftp.STATUS and kind not in pending.replies:
            raise PeerError(f"the server replies with an SFTP packet of type {kind} to a request of another")
        elif pending.answered is not None:
            packet = pending.answered(packet)
        self.to_client.append(packet)

    def _data(self, read: _Read, packet: bytes, kind: int) -> None:
        tally = read.handle.reads
        if tally is None:
            raise ValueError("a read of a file that was not opened for reading")
        if kind == sftp.DATA:
            fields = Fields(packet)
            length = fields.uint32()
            if length > read.length or fields.pos + length != len(packet):
                raise PeerError("the server replies with other data than were asked for")
            tally.add(read.offset, memoryview(packet)[fields.pos :])
        elif code_of(packet) == sftp.EOF:
            tally.ended = True
        else:
            tally.failed = True

    def _answer(self, index: int, packet: bytes, kind: int) -> None:
        if kind not in (sftp.STATUS, sftp.NAME, sftp.ATTRS):
            raise PeerError(f"the server replies with an SFTP packet of type {kind} to a question")
        self._replies[index] = packet
        replies = [reply for reply in self._replies if reply is not None]
        if len(replies) == len(self._replies):
            self._resume(replies)
