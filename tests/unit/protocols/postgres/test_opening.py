"""From the first byte to the first ReadyForQuery: requests for encryption, startup, cancel, the upstream leg."""

from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Cancel, Close, Connect, KeepCancelKey, Leg, StartTls
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.probe import PROBE
from tests.unit.protocols.playbook import (
    Allowed,
    Asks,
    CancelFound,
    ClientEof,
    Connected,
    FromClient,
    FromUpstream,
    Playbook,
    TlsStarted,
    ToClient,
    ToUpstream,
    UpstreamLost,
)
from tests.unit.protocols.postgres.wire import (
    AUTH_OK,
    COLUMNS,
    FULL,
    ISSUED,
    KEY,
    PROBED,
    READY,
    begun,
    config,
    error,
    facts,
    logged_in,
    message,
    query,
    row,
    startup,
    status,
    tag,
    with_client_tls,
)

SSL, GSS, CANCEL = m.untyped(80877103), m.untyped(80877104), 80877102


def fatal(play: Playbook, code: str, *words: str) -> None:
    text = bytes(play.trace.to_client)
    assert f"SFATAL\0VFATAL\0C{code}\0".encode() in text
    for word in words:
        assert word.encode() in text
    assert isinstance(play.trace.commands[-1], Close)


def test_plain_startup_to_ready() -> None:
    logged_in().done()


def test_ssl_request_is_answered_and_tls_begins() -> None:
    (with_client_tls(begun()) >> FromClient(startup()) << Connect()).done()


def test_ssl_request_without_a_certificate_is_answered_no() -> None:
    (begun(config(client_tls=False)) >> FromClient(SSL) << ToClient(b"N") >> FromClient(startup()) << Connect()).done()


def test_gss_request_is_answered_no_and_ssl_may_follow() -> None:
    play = begun() >> FromClient(GSS) << ToClient(b"N")
    (with_client_tls(play) >> FromClient(startup()) << Connect()).done()


@pytest.mark.parametrize("request_", [SSL, GSS])
def test_bytes_behind_an_encryption_request_are_an_injection(request_: bytes) -> None:
    with pytest.raises(PeerError):
        begun() >> FromClient(request_ + startup())


def test_bytes_between_the_answer_and_tls_are_an_injection() -> None:
    play = begun() >> FromClient(SSL) << ToClient(b"S") << StartTls(Leg.CLIENT, ("postgresql",))
    with pytest.raises(PeerError):
        play >> FromClient(startup())


def test_encryption_is_asked_for_once() -> None:
    with pytest.raises(PeerError):
        with_client_tls(begun()) >> FromClient(SSL)


def test_direct_tls() -> None:
    hello = b"\x16\x03\x01\x00\x05hello"
    (
        begun()
        >> FromClient(hello)
        << StartTls(Leg.CLIENT, ("postgresql",), hello)
        >> TlsStarted(Leg.CLIENT)
        >> FromClient(startup())
        << Connect()
    ).done(cut=False)
    with pytest.raises(PeerError):
        begun(config(client_tls=False)) >> FromClient(hello)


@pytest.mark.parametrize("size", [4, 32, 256])
def test_cancel(size: int) -> None:
    issued, upstream = b"\x07" * (4 + size), b"\x09" * (4 + size)
    (
        begun()
        >> FromClient(m.untyped(CANCEL, issued))
        << Cancel(issued)
        >> CancelFound(upstream)
        << Connect()
        >> Connected()
        << ToUpstream(m.untyped(CANCEL, upstream))
        >> UpstreamLost()
        << Close()
    ).done()


def test_cancel_goes_over_tls_where_the_target_has_it() -> None:
    (
        begun(config(FULL))
        >> FromClient(m.untyped(CANCEL, ISSUED))
        << Cancel(ISSUED)
        >> CancelFound(KEY)
        << Connect()
        >> Connected()
        << ToUpstream(SSL)
        >> FromUpstream(b"S")
        << StartTls(Leg.UPSTREAM, ("postgresql",))
        >> TlsStarted(Leg.UPSTREAM)
        << ToUpstream(m.untyped(CANCEL, KEY))
    ).done()


@pytest.mark.parametrize("size", [3, 257])
def test_cancel_keys_of_impossible_length(size: int) -> None:
    with pytest.raises(PeerError):
        begun() >> FromClient(m.untyped(CANCEL, bytes(4 + size)))


@pytest.mark.parametrize(
    ("packet", "code", "word"),
    [
        (startup(0x20000), "0A000", "2.0"),
        (startup(0x30001), "0A000", "3.1"),
        (startup(0x3270F), "0A000", "3.9999"),
        (startup(0x40000), "0A000", "4.0"),
        (startup(replication="database"), "0A000", "replication"),
        (startup(replication="true"), "0A000", "replication"),
        (startup(**{"_pq_.x": "1"}), "0A000", "_pq_.x"),
        (startup(client_encoding="SJIS"), "22023", "SJIS"),
        (startup(options="-c client_encoding=GBK"), "22023", "GBK"),
        (startup(options="--client-encoding=big5"), "22023", "big5"),
        (startup(options="-cstandard_conforming_strings=off"), "22023", "standard_conforming_strings"),
        (startup(options="-c standard_conforming\\_strings=0"), "22023", "standard_conforming_strings"),
        (startup(standard_conforming_strings="off"), "22023", "standard_conforming_strings"),
        (startup(options="-f s"), "0A000", "-f"),
        (m.untyped(0x30000, b"\0"), "28000", "user"),
    ],
)
def test_startups_that_are_refused(packet: bytes, code: str, word: str) -> None:
    play = begun() >> FromClient(packet)
    fatal(play, code, word)
    assert not play.trace.to_upstream


@pytest.mark.parametrize(
    "packet",
    [
        startup(0x30002),
        startup(replication="false", client_encoding="'utf-8'", options="-c geqo=off --search_path=a"),
        startup(client_encoding="LATIN1", standard_conforming_strings="on"),
    ],
)
def test_startups_that_pass(packet: bytes) -> None:
    (begun() >> FromClient(packet) << Connect() >> Connected() << ToUpstream(packet)).done()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", m.untyped(0x30000, b"user\0me"), m.untyped(0x30000, b"user\0\0"), bytes(8)]
)
def test_what_is_no_startup(data: bytes) -> None:
    with pytest.raises(PeerError):
        begun() >> FromClient(data)


def connecting(tls: bool = True) -> Playbook:
    return begun(config(FULL)) >> FromClient(startup()) << Connect() >> Connected() << ToUpstream(SSL)


def test_upstream_tls_before_anything_else() -> None:
    (
        connecting()
        >> FromUpstream(b"S")
        << StartTls(Leg.UPSTREAM, ("postgresql",))
        >> TlsStarted(Leg.UPSTREAM, b"hash")
        << ToUpstream(startup())
    ).done()


@pytest.mark.parametrize("answer", [b"N", error("0A000")])
def test_a_server_without_tls_is_refused(answer: bytes) -> None:
    play = connecting() >> FromUpstream(answer)
    fatal(play, "08001", "shop", "TLS")
    assert startup() not in play.trace.to_upstream


def test_bytes_behind_the_servers_yes_are_an_injection() -> None:
    with pytest.raises(PeerError):
        connecting() >> FromUpstream(b"S" + AUTH_OK)


def test_a_server_that_cannot_be_reached_or_verified() -> None:
    play = begun() >> FromClient(startup()) << Connect() >> UpstreamLost("connection refused")
    fatal(play, "08006", "shop", "connection refused")
    play = connecting() >> FromUpstream(b"S") << StartTls(Leg.UPSTREAM, ("postgresql",)) >> UpstreamLost("bad name")
    fatal(play, "08006", "bad name")


def test_protocol_3_2_is_negotiated_and_keys_keep_their_length() -> None:
    key = bytes(4) + b"k" * 32
    negotiate = message("v", (0x30000).to_bytes(4, "big") + bytes(4))
    (
        begun()
        >> FromClient(startup(0x30002))
        << Connect()
        >> Connected()
        << ToUpstream(startup(0x30002))
        >> FromUpstream(negotiate + AUTH_OK + message("K", key))
        << ToClient(negotiate + AUTH_OK + message("K", key[:4] + b"\x07" * 32))
        << KeepCancelKey(key[:4] + b"\x07" * 32, key)
    ).done()


def opened() -> Playbook:
    return (
        begun()
        >> FromClient(startup(database="db", application_name="app"))
        << Connect()
        >> Connected()
        << ToUpstream(startup(database="db", application_name="app"))
        >> FromUpstream(AUTH_OK + READY)
        << ToUpstream(PROBE)
        << ToClient(AUTH_OK)
    )


def test_what_the_client_sends_early_waits_until_the_probe_is_answered() -> None:
    (
        opened()
        >> FromClient(query("select 1"))
        >> FromUpstream(PROBED)
        << ToClient(READY)
        << facts(database="db", application_name="app", server_version="")
        << Asks("select 1", schemas=("public",))
        >> Allowed()
        << ToUpstream(query("select 1"))
    ).done()


@pytest.mark.parametrize(
    ("answer", "schemas"),
    [
        (COLUMNS + row(b'{a,"My ""S"}') + tag("SELECT 1"), None),
        (COLUMNS + row(b'{a,"My \\"S, x"}') + tag("SELECT 1"), ("a", 'My "S, x')),
        (COLUMNS + row(b"{}") + tag("SELECT 1"), ()),
        (error("42501"), None),
    ],
)
def test_schemas_come_from_the_server(answer: bytes, schemas: tuple[str, ...] | None) -> None:
    (
        opened()
        >> FromUpstream(answer + READY)
        << ToClient(READY)
        << facts(database="db", application_name="app", server_version="")
        >> FromClient(query("select 1"))
        << Asks("select 1", schemas=schemas)
    ).done()


def test_a_refusal_during_the_login_passes_and_is_told_once() -> None:
    refusal = error("3D000", "FATAL", "no such database")
    (
        begun()
        >> FromClient(startup())
        << Connect()
        >> Connected()
        << ToUpstream(startup())
        >> FromUpstream(AUTH_OK + refusal)
        << ToClient(AUTH_OK + refusal)
        >> UpstreamLost()
        << Close()
    ).done()


def test_a_server_setting_that_cannot_be_read_ends_the_session() -> None:
    play = opened()
    fatal(play >> FromUpstream(status("standard_conforming_strings", "off")), "22023", "standard_conforming_strings")


def test_the_client_leaves_early() -> None:
    (begun() >> FromClient(startup()) << Connect() >> ClientEof() << Close()).done()


@pytest.mark.parametrize("data", [row(b"1"), message("y"), tag("X")])
def test_what_a_server_may_not_send_before_the_login(data: bytes) -> None:
    play = begun() >> FromClient(startup()) << Connect() >> Connected() << ToUpstream(startup())
    with pytest.raises(PeerError):
        play >> FromUpstream(data)
