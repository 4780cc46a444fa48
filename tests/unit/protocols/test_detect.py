"""First bytes."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.protocols.detect import UNKNOWN, Detected, Protocol, detect


def hello(name: str | None = None, alpn: list[str] | None = None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def test_tls_gives_name_and_alpn() -> None:
    assert detect(hello("Db.Example.org", ["h2"])) == Detected(Protocol.TLS, "db.example.org", ("h2",))
    assert detect(hello()) == Detected(Protocol.TLS)
    assert detect(hello("a.b", ["postgresql"])) == Detected(Protocol.POSTGRES, "a.b", ("postgresql",))


def test_every_prefix_needs_more() -> None:
    whole = hello("db.example.org")
    assert all(detect(whole[:n]) is None for n in range(len(whole)))


def test_a_hello_over_several_records() -> None:
    whole = hello("db.example.org")
    parts = [whole[5:][i : i + 50] for i in range(0, len(whole) - 5, 50)]
    records = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in parts)
    assert detect(records) == Detected(Protocol.TLS, "db.example.org")


@pytest.mark.parametrize("code", [0x30000, 0x30002, 80877102, 80877103, 80877104])
def test_postgres(code: int) -> None:
    packet = (20).to_bytes(4, "big") + code.to_bytes(4, "big")
    assert detect(packet + bytes(12)) == Detected(Protocol.POSTGRES)
    assert all(detect(packet[:n]) is None for n in range(8))


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1", bytes(8), b"\0\0\0\x08\0\2\0\0", b"\x16\x02abc"])
def test_others_are_unknown(data: bytes) -> None:
    assert detect(data) == UNKNOWN


@given(st.binary(max_size=200), st.booleans())
def test_it_never_raises(data: bytes, tls: bool) -> None:
    detect(b"\x16\x03\x01" + data if tls else data)
