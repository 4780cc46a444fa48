"""A leg: one TCP connection of a flow, with TLS on it when asked. The only code that touches transports.

A leg that has taken TURN bytes waits for the loop's next turn, so that one bulk stream does not starve the rest. The
loop hands over bytes: for small messages, and most are, half the calls of a BufferedProtocol.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

from hostagent.protocols.base import Leg as LegName
from hostagent.runtime.tls import Tls

TURN: Final = 128 << 10  # bytes; a full read of the loop has more, so a bulk stream gets one a turn
LARGE: Final = 64 << 10  # bytes of a read that counts: smaller ones cannot starve anyone
SMALL: Final = 64 << 10  # bytes that are written past the transport
WRITE_HIGH: Final = 512 << 10  # queued beyond this, the other leg is not read
MAX_HELLO: Final = 64 << 10  # a ClientHello has less than one record; what follows it waits in the kernel
TLS_DEADLINE = 10.0  # seconds for a handshake


_write: Final = os.write


class Owner(Protocol):
    """What a leg tells its flow."""

    def opened(self, leg: Leg) -> None: ...
    def received(self, leg: Leg, data: bytes) -> None: ...
    def encrypted(self, leg: Leg) -> None: ...
    def ended(self, leg: Leg) -> None: ...
    def lost(self, leg: Leg, error: Exception | None) -> None: ...
    def congested(self, leg: Leg, stuck: bool) -> None: ...


class Leg:
    """One connection of a flow, an asyncio.Protocol by its shape. `name`: which; `owner` hears what happens."""

    def __init__(self, name: LegName, owner: Owner) -> None:
        self.name = name
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._tls: Tls | None = None
        self._tls_timer: asyncio.TimerHandle | None = None
        self._hello = b""  # the beginning of a TLS handshake, kept until it is known which certificate to show
        self._heard: Callable[[bytes], None] | None = None
        self._taken = 0
        self._holds = 0  # how many reasons there are not to read
        self._kept = b""  # came all the same: uvloop begins to read after connection_made, whatever that asked for
        self.closed = False
        self._queued = False  # the transport was given what the socket did not take
        self._fd = -1  # the socket once more, ours to close: its number never means another connection

    @property
    def protocol(self) -> asyncio.Protocol:
        """Itself, for the loop."""
        return cast(asyncio.Protocol, self)

    # what the flow asks

    def write(self, chunks: list[bytes]) -> None:
        """Send these bytes, encrypted where TLS runs."""
        if self._transport is None or self.closed:
            return
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if self._tls is not None:
            self._tls.write(data)
            data = self._tls.outgoing()
        self._send(data)

    def start_tls(self, tls: Tls, early: bytes = b"") -> None:
        """Run this TLS connection on the leg from here on; `early` was read before."""
        self._tls = tls
        self._start_timer()
        if early or self._hello:
            tls.feed(early + self._hello)
            self._hello = b""
        self._advance(tls)

    def await_hello(self, early: bytes, heard: Callable[[bytes], None]) -> None:
        """Keep what comes and call `heard` with it once the first TLS record is whole; then `start_tls` is due."""
        self._heard = heard
        self._start_timer()
        self._listen(early)

    def hold(self) -> None:
        """Do not read until a matching `release`."""
        self._holds += 1
        if self._holds == 1 and self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def release(self) -> None:
        """Undo one `hold`."""
        self._holds -= 1
        if self._holds == 0 and self._transport is not None and not self.closed:
            self._transport.resume_reading()
            if self._kept:
                data, self._kept = self._kept, b""
                self._take(data)

    def close(self) -> None:
        """Close once the queued bytes are out."""
        if self._transport is None or self.closed:
            return
        if self._tls is not None and self._tls.established:
            self._tls.close()
            if rest := self._tls.outgoing():
                self._transport.write(rest)
        self._transport.close()
        self._let_go()

    def abort(self) -> None:
        """Close now, dropping what is queued."""
        if self._transport is not None and not self.closed:
            self._transport.abort()

    def peer_certificate(self) -> bytes:
        """The peer's TLS certificate, DER; empty without one."""
        return self._tls.peer_certificate() if self._tls is not None else b""

    @property
    def kept(self) -> bytes:
        """What came although the leg is held: it is handed over with the last `release`."""
        return self._kept

    @property
    def transport(self) -> asyncio.Transport:
        """The transport; only valid after `opened`."""
        assert self._transport is not None
        return self._transport

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH)
        sock = transport.get_extra_info("socket")
        self._fd = os.dup(sock.fileno()) if sock is not None else -1
        if self._holds:
            asyncio.get_running_loop().call_soon(self._pause)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._holds:
            self._kept += data
            return
        self._take(data)
        if len(data) >= LARGE or self._taken:
            self._count(len(data))

    def eof_received(self) -> bool:
        if not self.closed:
            self._owner.ended(self)
        return True  # the flow closes the leg; half-closed until then

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        if not self.closed:  # else fail() has told it already
            self.closed = True
            self._stop_timer()
            self._owner.lost(self, exc)

    def pause_writing(self) -> None:
        self._owner.congested(self, True)

    def resume_writing(self) -> None:
        self._owner.congested(self, False)

    # inside

    def _take(self, data: bytes) -> None:
        tls = self._tls
        if tls is not None:
            tls.feed(data)
            self._advance(tls)
        elif self._heard is not None:
            self._listen(data)
        else:
            self._owner.received(self, data)

    def _pause(self) -> None:
        if self._holds and self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def _advance(self, tls: Tls) -> None:
        try:
            if not tls.established and not self._shake(tls):
                return
            data = tls.read()  # what it has to answer, a KeyUpdate, goes out with what is written next (RFC 8446 4.6.3)
        except ssl.SSLError as error:
            self._flush(tls)  # the alert that tells the peer why
            self.fail(error)
            return
        if data:
            self._owner.received(self, data)
        if tls.closed and not self.closed:
            self._owner.ended(self)

    def _shake(self, tls: Tls) -> bool:
        """Go on with the handshake; whether it is complete. Raises ssl.SSLError."""
        done = tls.handshake()
        self._flush(tls)
        if done:
            self._stop_timer()
            self._owner.encrypted(self)
        return done

    def fail(self, error: Exception) -> None:
        """End the leg because of `error`; the flow hears it as `lost`."""
        if not self.closed:
            self.closed = True
            self._stop_timer()
            if self._transport is not None:
                self._transport.close()
            self._owner.lost(self, error)

    def _listen(self, data: bytes) -> None:
        whole = _record_is_whole(self._hello)
        self._hello += data
        if len(self._hello) > MAX_HELLO:
            self.fail(ValueError("no TLS ClientHello"))
        elif not whole and _record_is_whole(self._hello) and self._heard is not None:
            self._heard(self._hello)

    def _flush(self, tls: Tls) -> None:
        if self._transport is not None and (data := tls.outgoing()):
            self._send(data)

    def _send(self, data: bytes) -> None:
        """Write at once what the socket takes, and leave the rest, or what has to wait its turn, to the transport.

        The transport's own way to the same write(2) costs several times as much.
        """
        transport = self._transport
        if transport is None:
            return
        if self._queued:
            self._queued = transport.get_write_buffer_size() > 0
        if self._fd >= 0 and len(data) <= SMALL and not self._queued:
            try:
                sent = _write(self._fd, data)
            except OSError:  # a full socket, or one that is gone: the transport finds out which
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._queued = True
        transport.write(data)

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _count(self, nbytes: int) -> None:
        if self._taken == 0:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._taken += nbytes
        if self._taken >= TURN:
            self.hold()

    def _next_turn(self) -> None:
        held = self._taken >= TURN
        self._taken = 0
        if held:
            self.release()

    def _tls_late(self) -> None:
        self.fail(TimeoutError(f"TLS was not established within {TLS_DEADLINE:g} s"))

    def _start_timer(self) -> None:
        self._stop_timer()
        self._tls_timer = asyncio.get_running_loop().call_later(TLS_DEADLINE, self._tls_late)

    def _stop_timer(self) -> None:
        if self._tls_timer is not None:
            self._tls_timer.cancel()
            self._tls_timer = None


def _record_is_whole(data: bytes) -> bool:
    """Whether the first TLS record is complete (RFC 8446 section 5.1: type, version, length of 16 bits)."""
    return len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big")
