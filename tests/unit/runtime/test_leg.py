"""A leg over a real connection: bytes both ways, TLS begun in the middle, holds, congestion, deadlines."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trustme
import uvloop

from hostagent.protocols.base import Leg as LegName
from hostagent.runtime import leg as leg_module
from hostagent.runtime.leg import Leg
from hostagent.runtime.tls import Tls

CA = trustme.CA()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CA.issue_cert("db.test").configure_cert(SERVER)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(CLIENT)


class Owner:
    """Hears what a leg tells its flow."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = b""
        self.error: Exception | None = None
        self.changed = asyncio.Event()

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.changed.set()

    def opened(self, leg: Leg) -> None:
        self._tell("opened")

    def received(self, leg: Leg, data: bytes) -> None:
        self.data += data
        self._tell("received")

    def encrypted(self, leg: Leg) -> None:
        self._tell("encrypted")

    def ended(self, leg: Leg) -> None:
        self._tell("ended")

    def lost(self, leg: Leg, error: Exception | None) -> None:
        self.error = error
        self._tell("lost")

    def congested(self, leg: Leg, stuck: bool) -> None:
        self._tell("stuck" if stuck else "flowing")

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not done():
                self.changed.clear()
                await self.changed.wait()


Scenario = Callable[[Leg, Owner, socket.socket], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        owner = Owner()
        leg = Leg(LegName.CLIENT, owner)
        await asyncio.get_running_loop().create_connection(lambda: leg, sock=ours)
        try:
            await scenario(leg, owner, theirs)
        finally:
            leg.abort()
            theirs.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def peer_reads(sock: socket.socket, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(10):
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
    return data


def test_bytes_go_both_ways_and_the_end_is_told() -> None:
    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.write([b"one", b"two"])
        assert await peer_reads(peer, 6) == b"onetwo"
        peer.send(b"three")
        await owner.until(lambda: owner.data == b"three")
        peer.shutdown(socket.SHUT_WR)
        await owner.until(lambda: "ended" in owner.told)
        leg.close()
        await owner.until(lambda: "lost" in owner.told)
        assert owner.error is None

    play(scenario)


def test_what_is_held_is_not_read_until_every_hold_is_released() -> None:
    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.hold()
        leg.hold()
        peer.send(b"later")
        leg.release()
        await asyncio.sleep(0.05)
        assert owner.data == b""
        leg.release()
        await owner.until(lambda: owner.data == b"later")

    play(scenario)


def test_bulk_comes_whole_through_turns() -> None:
    size = 8 << 20

    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(peer, bytes(size)))
        await owner.until(lambda: len(owner.data) == size)
        await sending

    play(scenario)


def test_congestion_is_told_and_ends() -> None:
    size = 4 * leg_module.WRITE_HIGH

    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.write([bytes(size)])
        await owner.until(lambda: "stuck" in owner.told)
        assert len(await peer_reads(peer, size)) == size
        await owner.until(lambda: "flowing" in owner.told)

    play(scenario)


async def shake_hands(client: Tls, peer: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while not client.handshake():
        await loop.sock_sendall(peer, client.outgoing())
        client.feed(await loop.sock_recv(peer, 1 << 16))
    await loop.sock_sendall(peer, client.outgoing())


def test_tls_begins_in_the_middle_of_a_stream() -> None:
    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        def show(hello: bytes) -> None:
            heard.append(hello)
            leg.start_tls(Tls(SERVER, server_side=True))

        heard: list[bytes] = []
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(peer, b"plain")
        await owner.until(lambda: owner.data == b"plain")
        leg.await_hello(b"", show)
        client = Tls(CLIENT, server_side=False, server_name="db.test")
        await shake_hands(client, peer)
        client.write(b"secret")
        await loop.sock_sendall(peer, client.outgoing())
        await owner.until(lambda: owner.data == b"plainsecret")
        assert heard[0][0] == 22  # a handshake record
        assert owner.told.index("encrypted") < len(owner.told) - 1
        leg.write([b"answer"])
        client.feed(await loop.sock_recv(peer, 1 << 16))
        assert client.read() == b"answer"

    play(scenario)


def test_a_hello_in_pieces_is_waited_for() -> None:
    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        heard: list[bytes] = []
        leg.await_hello(b"\x16\x03", heard.append)
        for piece in (b"\x01\x00", b"\x04a", b"bc"):
            peer.send(piece)
            await asyncio.sleep(0.02)
        assert heard == []
        peer.send(b"d")
        async with asyncio.timeout(5):
            while not heard:
                await asyncio.sleep(0.01)
        assert heard == [b"\x16\x03\x01\x00\x04abcd"]

    play(scenario)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.0\r\n\r\n" * 2000, b"\x16\x03\x01\x00\x04abcd"])
def test_garbage_instead_of_tls_ends_the_leg(garbage: bytes) -> None:
    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.start_tls(Tls(SERVER, server_side=True))
        await asyncio.get_running_loop().sock_sendall(peer, garbage)
        await owner.until(lambda: "lost" in owner.told)
        assert isinstance(owner.error, ssl.SSLError)
        assert owner.data == b""

    play(scenario)


def test_a_handshake_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leg_module, "TLS_DEADLINE", 0.05)

    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.await_hello(b"", lambda _hello: None)
        await owner.until(lambda: "lost" in owner.told)
        assert isinstance(owner.error, TimeoutError)

    play(scenario)


def test_a_certificate_that_does_not_verify_ends_the_leg() -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody

    async def scenario(leg: Leg, owner: Owner, peer: socket.socket) -> None:
        leg.start_tls(Tls(stranger, server_side=False, server_name="db.test"))
        server = Tls(SERVER, server_side=True)
        loop = asyncio.get_running_loop()
        while "lost" not in owner.told:
            data = await loop.sock_recv(peer, 1 << 16)
            server.feed(data)
            try:
                server.handshake()
            except ssl.SSLError:
                break
            await loop.sock_sendall(peer, server.outgoing())
        await owner.until(lambda: "lost" in owner.told)
        assert isinstance(owner.error, ssl.SSLCertVerificationError)

    play(scenario)
