"""A client's first bytes, whole or in pieces, and the word that ends a connection in clear."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.detect import Protocol, detect
from hostagent.protocols.ssh.greeting import Greeting, Hello, disconnect


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def packet(payload: bytes) -> bytes:
    padding = 8 - (5 + len(payload)) % 8 + 8
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


LISTS = (b"curve25519-sha256", b"ssh-ed25519,x-cert", b"a-ctr,a-gcm,b-gcm", b"b-gcm,a-gcm", *[b""] * 6)
KEXINIT = b"\x14" + bytes(16) + b"".join(map(string, LISTS)) + bytes(5)
WHOLE = b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n" + packet(KEXINIT)
HELLO = Hello("SSH-2.0-OpenSSH_9.2p1 Debian", ("ssh-ed25519", "x-cert"), ("a-gcm", "b-gcm"))


@given(st.integers(0, len(WHOLE)))
def test_it_is_read_wherever_it_is_split(at: int) -> None:
    greeting = Greeting()
    first = greeting.feed(WHOLE[:at])
    assert (first is None) == (at < len(WHOLE))
    assert greeting.feed(WHOLE[at:]) == HELLO and greeting.data == WHOLE


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n", b"SSH-1.5-old\r\n", b"SSH-2.0-" + b"x" * 300,
        b"SSH-2.0-x\r\n" + packet(b"\x15"), b"SSH-2.0-x\r\n" + struct.pack(">IB", 1 << 20, 4) + b"x",
        b"SSH-2.0-x\r\n" + packet(b"\x14" + bytes(16) + string(b"a")),
    ],
)  # fmt: skip
def test_what_is_no_greeting_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        Greeting().feed(data)


@given(st.binary(max_size=400))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for beginning in (b"", b"SSH-2.0-x\r\n", b"SSH-2.0-x\n" + struct.pack(">IB", 100, 4)):
        try:
            Greeting().feed(beginning + data)
        except PeerError:
            pass


def test_a_disconnect_is_a_packet_of_its_own() -> None:
    data = disconnect("denied: no", 11)
    length, padding = struct.unpack_from(">IB", data)
    assert len(data) == 4 + length and len(data) % 8 == 0 and padding >= 4
    assert data[5 : 4 + length - padding] == b"\x01\0\0\0\x0b" + string(b"denied: no") + string(b"")


@pytest.mark.parametrize(("first", "found"), [(b"SSH-2.0-x", Protocol.SSH), (b"S", None), (b"STAT", Protocol.UNKNOWN)])
def test_it_is_known_by_its_first_bytes(first: bytes, found: Protocol | None) -> None:
    answer = detect(first)
    assert (answer.protocol if answer is not None else None) == found


@pytest.mark.parametrize(
    ("version", "pattern"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", False),
        ("SSH-2.0-OpenSSH_10.2", False),
        ("SSH-2.0-OpenSSH_10.3p1", True),
        ("SSH-2.0-OpenSSH_11.0", True),
        ("SSH-2.0-paramiko_3.5.0", False),
        ("SSH-2.0-AsyncSSH_2.24.1", False),
    ],
)
def test_which_certificate_is_good_for_any_host_is_the_clients_affair(version: str, pattern: bool) -> None:
    assert Hello(version, (), ()).wants_pattern is pattern
