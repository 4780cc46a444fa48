"""From the greeting to the OK: both legs, with and without a credential of ours."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Connect, Credential, Describe, KeepCancelKey, Leg, StartTls
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.auth import clear, ed25519, native, sha2
from hostagent.protocols.mysql.denial import before_greeting, err
from hostagent.protocols.mysql.handshake import Answer
from hostagent.protocols.mysql.packets import packet
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.settings import PROBE, TRACK
from hostagent.values.target import UpstreamTls
from tests.unit.protocols.mysql.wire import (
    AUTOCOMMIT,
    CLIENT,
    OWN_SCRAMBLE,
    SCRAMBLE,
    SERVER,
    answer,
    config,
    greeting,
    ok,
    our_greeting,
    probe_result,
    query,
)
from tests.unit.protocols.playbook import (
    Connected,
    FromClient,
    FromUpstream,
    Playbook,
    TlsStarted,
    ToClient,
    ToUpstream,
    UpstreamLost,
)

FULL = UpstreamTls.VERIFY_FULL
HELD = Credential("app", "secret")
FACTS = Describe(
    (("database", "shop"), ("user", "me"), ("upstream_user", "app"), ("application_name", ""),
     ("server_version", "10.11.19-MariaDB"), ("protocol", "mysql"))
)  # fmt: skip


def begun(tls: UpstreamTls = UpstreamTls.OFF, credential: Credential | None = HELD) -> Playbook:
    """A session with its request for a connection taken out, as the pump does before any byte."""

    def make() -> MysqlSession:
        session = MysqlSession(config(tls, credential))
        assert session.commands == [Connect()]
        session.commands = []
        return session

    return Playbook(make) >> Connected()


def login(flags: int, user: bytes, proof: bytes, plugin: str, own: Answer | None = None) -> bytes:
    """What we answer to the server's greeting."""
    return (own or answer()).as_user(flags, user, proof, plugin).encode()


def let_in(book: Playbook, sequence: int, ours: int, facts: Describe = FACTS) -> None:
    """The server says OK with that number; the client gets its own with another."""
    book >> FromUpstream(ok(sequence))
    book << ToUpstream(query(TRACK))
    book >> FromUpstream(ok(1))
    book << ToUpstream(query(PROBE))
    book >> FromUpstream(probe_result(True))
    book << ToClient(packet(ours, b"\0\0\0" + AUTOCOMMIT + b"\0\0"))
    book << KeepCancelKey(b"mysql shop 7", b"mysql shop 7") << facts


FLAGS = CLIENT | can.SESSION_TRACK


def test_a_held_credential_over_plaintext() -> None:
    book = begun()
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting())
    book >> FromClient(packet(1, answer().encode()))
    book << ToUpstream(packet(1, login(FLAGS, b"app", native.proof(b"secret", SCRAMBLE), native.NAME)))
    let_in(book, 2, 2)
    book.done()


def test_a_greeting_may_come_before_the_pump_says_that_it_is_connected() -> None:
    session = MysqlSession(config())
    session.upstream_data(greeting())
    assert not session.to_client
    session.connected()
    assert session.to_client == [our_greeting()]


def test_tls_on_both_legs_adds_a_packet_to_each() -> None:
    book = begun(FULL)
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting())
    request = answer(CLIENT | can.SSL)
    book >> FromClient(packet(1, request.ssl_request()))
    book << StartTls(Leg.CLIENT)
    book >> TlsStarted(Leg.CLIENT)
    book >> FromClient(packet(2, request.encode()))
    sent = answer().as_user(FLAGS | can.SSL, b"app", native.proof(b"secret", SCRAMBLE), native.NAME)
    book << ToUpstream(packet(1, sent.ssl_request())) << StartTls(Leg.UPSTREAM)
    book >> TlsStarted(Leg.UPSTREAM)
    book << ToUpstream(packet(2, sent.encode()))
    let_in(book, 3, 3)
    book.done()


def test_a_hello_behind_the_request_for_tls_belongs_to_the_handshake() -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer(CLIENT | can.SSL).ssl_request()) + b"\x16\x03\x01hello")
    assert session.commands[-1] == StartTls(Leg.CLIENT, early=b"\x16\x03\x01hello")


def test_a_switch_to_ed25519() -> None:
    nonce = bytes(range(32))
    book = begun()
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting())
    book >> FromClient(packet(1, answer().encode()))
    book << ToUpstream(packet(1, login(FLAGS, b"app", native.proof(b"secret", SCRAMBLE), native.NAME)))
    book >> FromUpstream(packet(2, b"\xfeclient_ed25519\0" + nonce))
    book << ToUpstream(packet(3, ed25519.proof(b"secret", nonce)))
    let_in(book, 4, 2)
    book.done()


def test_caching_sha2_in_full_over_tls() -> None:
    book = begun(FULL)
    book >> FromUpstream(greeting(plugin=sha2.CACHING))
    book << ToClient(our_greeting(sha2.CACHING))
    book >> FromClient(packet(1, answer(plugin=sha2.CACHING, proof=b"\x01" * 32).encode()))
    sent = answer().as_user(FLAGS | can.SSL, b"app", sha2.proof(b"secret", SCRAMBLE), sha2.CACHING)
    book << ToUpstream(packet(1, sent.ssl_request()))
    book << ToClient(packet(2, b"\x01\x03")) << StartTls(Leg.UPSTREAM)
    book >> TlsStarted(Leg.UPSTREAM)
    book << ToUpstream(packet(2, sent.encode()))
    book >> FromUpstream(packet(3, b"\x01\x04"))
    book << ToUpstream(packet(4, b"secret\0"))
    let_in(book, 5, 3)
    book.done()


def test_caching_sha2_with_a_key_over_plaintext() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting(plugin=sha2.CACHING))
    session.client_data(packet(1, answer(plugin=sha2.CACHING, proof=b"").encode()))
    session.upstream_data(packet(2, b"\x01\x04"))
    assert session.to_upstream[-1] == packet(3, b"\x02")
    session.upstream_data(packet(4, b"\x01" + pem))
    sealed = session.to_upstream[-1][4:]
    opened = key.decrypt(sealed, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
    assert bytes(a ^ b for a, b in zip(opened, SCRAMBLE, strict=False)) == b"secret\0"
    session.upstream_data(ok(6))
    assert session.to_upstream[-1] == query(TRACK)


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_not_sealed_for(pem: bytes) -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting(plugin=sha2.CACHING))
    session.client_data(packet(1, answer(plugin=sha2.CACHING).encode()))
    session.upstream_data(packet(2, b"\x01\x04"))
    with pytest.raises(PeerError):
        session.upstream_data(packet(4, b"\x01" + pem))
    assert b"secret" not in b"".join(session.to_upstream)


@pytest.mark.parametrize(("tls", "sent"), [(FULL, True), (UpstreamTls.OFF, False)])
def test_a_clear_password_goes_over_verified_tls_only(tls: UpstreamTls, sent: bool) -> None:
    session = MysqlSession(config(tls))
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer().encode()))
    if tls is FULL:
        session.tls_started(Leg.UPSTREAM, b"")
    session.upstream_data(packet(2, b"\xfemysql_clear_password\0"))
    assert (b"secret" in b"".join(session.to_upstream)) is sent
    assert (session.to_upstream[-1] == packet(3, clear.proof(b"secret"))) is sent
    if not sent:
        assert b"clear-text password" in b"".join(session.to_client)
        assert isinstance(session.commands[-1], Close)


@pytest.mark.parametrize(
    "demand", [b"\xfe", b"\xfeparsec\0" + bytes(20), b"\x01\x05", b"\x01\x04", b"\x05", b"\xfe\xff"]
)
def test_a_demand_that_is_not_known_ends_the_login(demand: bytes) -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer().encode()))
    sent = len(session.to_upstream)
    try:
        session.upstream_data(packet(2, demand))
    except PeerError:
        pass
    else:
        assert isinstance(session.commands[-1], Close)
    assert len(session.to_upstream) == sent
    assert b"".join(session.to_client[1:])[4] == 0xFF


@pytest.mark.parametrize("plugin", ["mysql_native_password", "client_ed25519", "mysql_clear_password"])
def test_whatever_a_client_proves_is_taken(plugin: str) -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer(plugin=plugin, proof=b"wrong").encode()))
    assert len(session.to_client) == 1
    assert session.to_upstream
    assert b"wrong" not in b"".join(session.to_upstream)


def test_a_client_with_a_plugin_of_its_own_is_asked_to_switch() -> None:
    book = begun()
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting())
    book >> FromClient(packet(1, answer(plugin="dialog", proof=b"").encode()))
    book << ToClient(packet(2, b"\xfemysql_native_password\0" + OWN_SCRAMBLE + b"\0"))
    book >> FromClient(packet(3, b"\x77" * 20))
    book << ToUpstream(packet(1, login(FLAGS, b"app", native.proof(b"secret", SCRAMBLE), native.NAME)))
    let_in(book, 2, 4)
    book.done()


def test_a_wrong_credential_is_told_without_the_servers_words() -> None:
    book = begun()
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting())
    book >> FromClient(packet(1, answer().encode()))
    book << ToUpstream(packet(1, login(FLAGS, b"app", native.proof(b"secret", SCRAMBLE), native.NAME)))
    book >> FromUpstream(err(2, 1045, "28000", "Access denied for user 'app'@'10.0.0.1'"))
    told = "target shop refused the credential that this host holds for it"
    book << ToClient(err(2, 1045, "28000", told)) << Close(told)
    book.done()


def test_a_client_that_logs_in_itself_gets_the_servers_scramble() -> None:
    book = begun(credential=None)
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting(scramble=SCRAMBLE))
    book >> FromClient(packet(1, answer().encode()))
    book << ToUpstream(packet(1, login(FLAGS, b"me", b"\x99" * 20, native.NAME)))
    book >> FromUpstream(packet(2, b"\xfeclient_ed25519\0" + bytes(32)))
    book << ToClient(packet(2, b"\xfeclient_ed25519\0" + bytes(32)))
    book >> FromClient(packet(3, b"\x55" * 64))
    book << ToUpstream(packet(3, b"\x55" * 64))
    own = Describe((("database", "shop"), ("user", "me"), ("upstream_user", "me"), *FACTS.facts[3:]))
    let_in(book, 4, 4, own)
    book.done()
    assert not any(book.trace.captured.values())


def test_the_error_of_a_relayed_login_is_the_servers_own() -> None:
    book = begun(credential=None)
    book >> FromUpstream(greeting())
    book << ToClient(our_greeting(scramble=SCRAMBLE))
    book >> FromClient(packet(1, answer().encode()))
    book << ToUpstream(packet(1, login(FLAGS, b"me", b"\x99" * 20, native.NAME)))
    refused = b"\xff\x15\x04#28000Access denied"
    book >> FromUpstream(packet(2, refused))
    book << ToClient(packet(2, refused))
    book >> UpstreamLost()
    book << Close()
    book.done()


@pytest.mark.parametrize(
    ("client_tls", "tls", "demand", "passes"),
    [
        (True, FULL, b"\xfemysql_clear_password\0", True),
        (False, FULL, b"\xfemysql_clear_password\0", True),
        (True, UpstreamTls.OFF, b"\xfemysql_clear_password\0", False),
        (True, UpstreamTls.OFF, b"\xfedialog\0Password: ", False),
        (True, UpstreamTls.OFF, b"\xfesha256_password\0" + bytes(21), False),
        (False, UpstreamTls.OFF, b"\xfesha256_password\0" + bytes(21), True),
        (True, FULL, b"\x01\x04", True),
        (False, UpstreamTls.OFF, b"\x01\x04", True),
        (True, UpstreamTls.OFF, b"\x01\x04", False),
        (False, FULL, b"\x01\x04", False),
    ],
)
def test_a_password_itself_is_relayed_over_verified_tls_only(
    client_tls: bool, tls: UpstreamTls, demand: bytes, passes: bool
) -> None:
    session = MysqlSession(config(tls, None))
    session.connected()
    session.upstream_data(greeting(plugin=sha2.CACHING))
    sequence = 1
    if client_tls:
        session.client_data(packet(1, answer(CLIENT | can.SSL).ssl_request()))
        session.tls_started(Leg.CLIENT, b"")
        sequence = 2
    session.client_data(packet(sequence, answer(plugin=sha2.CACHING).encode()))
    if tls is FULL:
        session.tls_started(Leg.UPSTREAM, b"")
    session.upstream_data(packet(2, demand))
    assert (session.to_client[-1][4:] == demand) is passes
    assert isinstance(session.commands[-1], Close) is not passes


def test_capabilities_that_are_not_understood_are_cleared_on_both_legs() -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting(0xFFFFFFFF))
    offered = session.to_client[0]
    at = offered.index(b"\0", 5) + 1 + 4 + 8 + 1
    flags = int.from_bytes(offered[at : at + 2], "little") | int.from_bytes(offered[at + 5 : at + 7], "little") << 16
    assert flags == can.UNDERSTOOD | can.SSL
    asked = 0xFFFFFFFF & ~can.COMPRESSION & ~can.SSL
    body = bytearray(answer(CLIENT | can.CONNECT_ATTRS).encode())
    body[:4] = asked.to_bytes(4, "little")
    session.client_data(packet(1, bytes(body)))
    sent = int.from_bytes(session.to_upstream[0][4:8], "little")
    assert sent == can.UNDERSTOOD
    assert session.to_upstream[0][8 + 5 : 8 + 28] == bytes(23)  # MariaDB's own flags are there


@pytest.mark.parametrize("flag", [1 << 5, 1 << 26])
def test_a_client_that_compresses_unasked_is_told_so(flag: int) -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    with pytest.raises(PeerError, match="compress"):
        session.client_data(packet(1, answer(CLIENT | flag).encode()))
    assert b"compresses without" in b"".join(session.to_client)


@pytest.mark.parametrize(
    ("flags", "tls", "said"),
    [
        (SERVER & ~can.SSL, FULL, "target shop does not speak TLS"),
        (SERVER & ~can.SESSION_TRACK, UpstreamTls.OFF, "target shop is too old"),
    ],
)
def test_a_server_that_will_not_do_is_told_in_the_place_of_a_greeting(flags: int, tls: UpstreamTls, said: str) -> None:
    session = MysqlSession(config(tls))
    session.connected()
    session.upstream_data(greeting(flags))
    told = b"".join(session.to_client)
    assert told[:3] == len(told[4:]).to_bytes(3, "little")
    assert told[3:7] == b"\0\xff" + (1158).to_bytes(2, "little")
    assert told[7:].decode().startswith(said)
    assert isinstance(session.commands[-1], Close)


def test_a_server_that_refuses_before_its_greeting_is_passed_on() -> None:
    full = packet(0, b"\xff\x10\x04Too many connections")
    book = begun()
    book >> FromUpstream(full)
    book << ToClient(full)
    book >> UpstreamLost()
    book << Close()
    book.done()


def test_an_upstream_that_cannot_be_reached() -> None:
    book = Playbook(lambda: MysqlSession(config()))
    book >> UpstreamLost("denied: no target of the policy covers 10.0.0.5:3306")
    said = "target shop: denied: no target of the policy covers 10.0.0.5:3306"
    book << ToClient(before_greeting(said, 1158)) << Connect()
    book << Close("denied: no target of the policy covers 10.0.0.5:3306")
    book.done()


@pytest.mark.parametrize("charset", [b"gbk", b"big5", b"sjis", b"cp932", b"gb18030", b"ucs2", b"swe7", b"binary", b""])
def test_a_character_set_that_cannot_be_read_is_refused_before_the_client_is_let_in(charset: bytes) -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer().encode()))
    session.upstream_data(ok(2))
    session.upstream_data(ok(1))
    session.upstream_data(probe_result(True, charset=charset))
    told = session.to_client[-1]
    assert told[3:7] == b"\x02\xff" + (1142).to_bytes(2, "little")
    assert isinstance(session.commands[-1], Close)


def test_a_server_that_does_not_track_the_session_is_not_used() -> None:
    session = MysqlSession(config())
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer().encode()))
    session.upstream_data(ok(2))
    with pytest.raises(PeerError, match="when session settings change"):
        session.upstream_data(err(1, 1193, "HY000", "Unknown system variable"))


@pytest.mark.parametrize(
    "payload",
    [b"\x09" + bytes(60), b"\x0a", b"\x0a5.5", b"\x0a5.5\0\0\0\0\0", b"\x0a\xff\0" + bytes(60)],
)
def test_a_greeting_of_another_form_is_an_error_of_the_server(payload: bytes) -> None:
    session = MysqlSession(config())
    session.connected()
    with pytest.raises(PeerError):
        session.upstream_data(packet(0, payload))


def test_a_client_may_not_speak_forever_before_it_is_let_in() -> None:
    session = MysqlSession(config())
    session.client_data(b"x" * (1 << 20))
    assert not session.client_held
    session.client_data(b"x")
    assert session.client_held
    with pytest.raises(PeerError):
        session.client_data(b"x" * (1 << 20))


def test_proofs_are_those_of_the_servers() -> None:
    # SET PASSWORD of MariaDB stores SHA1(SHA1(password)); a server checks SHA1(proof XOR SHA1(scramble + stored))
    stored = hashlib.sha1(hashlib.sha1(b"secret").digest()).digest()
    mask = hashlib.sha1(SCRAMBLE + stored).digest()
    once = bytes(a ^ b for a, b in zip(native.proof(b"secret", SCRAMBLE), mask, strict=True))
    assert hashlib.sha1(once).digest() == stored
    stored = hashlib.sha256(hashlib.sha256(b"secret").digest()).digest()
    mask = hashlib.sha256(stored + SCRAMBLE).digest()
    once = bytes(a ^ b for a, b in zip(sha2.proof(b"secret", SCRAMBLE), mask, strict=True))
    assert hashlib.sha256(once).digest() == stored
    assert native.proof(b"", SCRAMBLE) == sha2.proof(b"", SCRAMBLE) == ed25519.proof(b"", bytes(32)) == b""


def test_the_signature_of_ed25519_is_the_librarys_for_a_seed_of_its_size() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for number in range(8):
        seed = hashlib.sha256(bytes((number,))).digest()
        assert ed25519.proof(seed, bytes(32)) == Ed25519PrivateKey.from_private_bytes(seed).sign(bytes(32))


@pytest.mark.parametrize("credential", [Credential("app", "secret"), None])
def test_a_servers_proof_of_its_own_certificate_is_not_passed_on(credential: Credential | None) -> None:
    """MariaDB 11.4 and later say in the last OK what proves their certificate to who knows the password. The client's
    connection has a certificate of ours: it gets no proof, so it goes on only where it trusts our CA."""
    session = MysqlSession(config(credential=credential))
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer().encode()))
    session.upstream_data(ok(2, info=b"\x01" + b"5e" * 32))
    session.upstream_data(ok(1) + probe_result(True))
    assert session.to_client[-1] == packet(2, b"\0\0\0" + AUTOCOMMIT + b"\0\0")
    assert b"5e5e" not in b"".join(session.to_client)
