"""A file transfer within a channel: a guard between its two sides, whose questions are decided one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hostagent.errors import PeerError
from hostagent.protocols.ssh.transfer import Transfer
from hostagent.recording import ssh_notes
from hostagent.ssh.operation import Operation
from hostagent.values.decision import Outcome

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge
    from hostagent.runtime.ssh.channel import SessionChannel

BROKEN = 255  # exit status where a side broke the protocol of the transfer
REFUSED = 1  # exit status where the guard has ended it


class Guard(Protocol):
    """What stands between the two sides: sans-IO, see protocols/ssh/sftp.py and scp.py."""

    to_client: list[bytes]
    to_server: list[bytes]
    asked: list[tuple[int, Operation]]
    finished: list[Transfer]

    @property
    def client_held(self) -> bool: ...
    def client_data(self, data: bytes) -> None: ...
    def server_data(self, data: bytes) -> None: ...
    def decided(self, token: int, allowed: bool, reason: str) -> None: ...
    def closed(self) -> None: ...


class Guarded:
    """A guard at work in a channel."""

    def __init__(self, channel: SessionChannel, bridge: Bridge, guard: Guard) -> None:
        self._channel = channel
        self._bridge = bridge
        self._guard = guard
        self._files: dict[str, str] = {}  # path → decision that opened it

    def client_data(self, data: bytes) -> None:
        """The client said this."""
        self._step(lambda: self._guard.client_data(data))

    def server_data(self, data: bytes) -> None:
        """The server said this."""
        self._step(lambda: self._guard.server_data(data))

    def closed(self) -> None:
        """The channel has ended."""
        self._guard.closed()
        self._tell_finished()

    def _step(self, step: Callable[[], None]) -> None:
        try:
            step()
        except PeerError as error:
            self._channel.tell(str(error))
            self._channel.end(BROKEN)
            return
        guard = self._guard
        self._channel.to_server(b"".join(guard.to_server))
        guard.to_server.clear()
        self._channel.to_client(b"".join(guard.to_client))
        guard.to_client.clear()
        asked, guard.asked[:] = list(guard.asked), []
        for token, operation in asked:
            self._bridge.spawn(self._decide(token, operation))
        self._tell_finished()
        self._channel.hold("guard", guard.client_held)
        if getattr(guard, "ended", False):
            self._channel.end(REFUSED)

    async def _decide(self, token: int, operation: Operation) -> None:
        decision = await self._bridge.decide(operation, self._channel, self._channel.number)
        why = f"{decision.ruling.reason} (decision {decision.id})"
        if decision.forwards:
            self._files.update(dict.fromkeys((*operation.paths, " or ".join(operation.paths)), decision.id))
        else:
            self._channel.tell(f"{operation.text}: {why}")
        if not self._channel.closed:
            reason = "" if decision.forwards else f"denied by policy: {why}"
            self._step(lambda: self._guard.decided(token, decision.forwards, reason))

    def _tell_finished(self) -> None:
        for transfer in self._guard.finished:
            self._bridge.flow.tape.note_now(ssh_notes.transferred(self._channel.number, transfer))
            if (decision := self._files.get(transfer.path)) is not None:
                error = "" if transfer.complete else "incomplete"
                facts = (("path", transfer.path), ("direction", transfer.direction), ("sha256", transfer.sha256))
                self._bridge.finished(decision, Outcome(0, transfer.bytes, error), facts)
        self._guard.finished.clear()
