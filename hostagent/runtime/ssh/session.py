"""The SSH session that a flow runs: bytes between its legs and the two connections of its bridge.

asyncssh works in tasks, so bytes may come at any time: whoever puts some into a list wakes the pump. The client's first
bytes are read here, before any key is exchanged; what is refused then is told in clear, as RFC 4253 lets one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostagent.content.detector import Detector
from hostagent.errors import PeerError
from hostagent.protocols.base import AskHuman, Close, Leg, Request, Session
from hostagent.protocols.ssh.greeting import BY_APPLICATION, KEY_EXCHANGE_FAILED, Greeting, disconnect
from hostagent.runtime.ssh.identity import ALGORITHM, VERSION_LINE
from hostagent.values.decision import Decision

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

PLAIN_KEYS = (
    f"this host shows SSH clients a host certificate ({ALGORITHM}), and this client takes none: "
    f"leave HostKeyAlgorithms at its default, or put {ALGORITHM} first in it"
)


class SshSession(Session):
    """One SSH conversation. `refusal`: what a client is told that is let through to nothing."""

    def __init__(self, bridge: Bridge, refusal: str) -> None:
        super().__init__()
        self._bridge = bridge
        self._refusal = refusal
        self._greeting: Greeting | None = Greeting()
        self._over = False

    def start(self) -> None:
        """Say our version: both sides may at once, and some clients wait for it."""
        self.to_client.append(VERSION_LINE)

    def client_data(self, data: bytes) -> None:
        """Bytes from the client. Raises PeerError."""
        if self._over:
            return
        if self._greeting is None:
            self._bridge.client_received(data)
            return
        hello = self._greeting.feed(data)
        if hello is None:
            return
        if self._refusal:
            self._refuse(self._refusal)
        elif ALGORITHM not in hello.host_key_algorithms:
            self._refuse(PLAIN_KEYS, KEY_EXCHANGE_FAILED)
        else:
            data, self._greeting = self._greeting.data, None
            self._bridge.serve(hello)
            self._bridge.client_received(data)

    def _refuse(self, text: str, reason: int = BY_APPLICATION) -> None:
        self._over = True
        self.to_client.append(disconnect(text, reason))
        self.commands.append(Close(text))

    def upstream_data(self, data: bytes) -> None:
        """Bytes from the upstream."""
        self._bridge.upstream_received(data)

    def client_eof(self) -> None:
        """The client has closed its side."""
        self._bridge.client_gone()
        self.commands.append(Close())

    def connected(self) -> None:
        """The upstream leg is open."""
        self._bridge.reached("")

    def upstream_lost(self, reason: str) -> None:
        """The upstream leg could not be opened, or ended."""
        self._bridge.upstream_gone(reason)

    def tls_started(self, leg: Leg, binding: bytes) -> None:  # noqa: ARG002
        """There is no TLS here."""
        raise PeerError("TLS within SSH")

    def cancel_found(self, upstream: bytes) -> None:  # noqa: ARG002
        """There are no cancel keys here."""
        raise PeerError("a cancel key within SSH")

    def hold(self, request: Request, decision: Decision) -> None:
        """A human is asked about an operation: all of it is in its text."""
        self._bridge.hold(request, decision)
        self.commands.append(AskHuman(request, decision, (), exact=True))

    def progress(self) -> tuple[str, int, int] | None:
        """Limits of rows and bytes do not count SSH."""
        return None

    def cut_off(self, reason: str) -> None:
        """End the connection for that reason."""
        self._bridge.fail(reason)

    def notify(self, decision: Decision, seconds: int, minimum: int) -> None:
        """Tell the channel that waits who is asked."""
        self._bridge.notify(decision, seconds, minimum)

    def withdrawn(self, request: Request) -> bool:
        """Whether the channel that waited was closed."""
        return self._bridge.withdrawn(request)

    def look_through(self, detector: Detector | None) -> None:
        """Look through the output of what starts from now on."""
        self._bridge.detector = detector

    def look_up(self, question: str) -> None:  # noqa: ARG002
        """Nothing is looked up in SSH."""
        raise PeerError("a question within SSH")

    def decided(self, request: Request, decision: Decision) -> None:
        """The answer to an operation."""
        self._bridge.decided(request, decision)

    def ended(self) -> None:
        """The flow has ended: so do both connections."""
        self._over = True
        self._bridge.close()
