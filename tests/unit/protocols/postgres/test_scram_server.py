"""Our side of SCRAM towards a client: the RFC's own exchange, our own client against it, and whatever else may come."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.postgres.scram import SCRAM, SCRAM_PLUS, SaltedPasswords, ScramClient
from hostagent.protocols.postgres.scram_server import ITERATIONS, ScramServer, Verifier, WrongProof

SALT = b"0123456789abcdef"
VERIFIER = Verifier.of("placeholder", SALT)
NONCE, CLIENT_NONCE = b"\x01" * 18, b"\x02" * 18
BINDING = hashlib.sha256(b"our leaf").digest()


def initial(mechanism: str, first: bytes) -> bytes:
    return mechanism.encode() + b"\0" + len(first).to_bytes(4, "big") + first


def exchange(server: ScramServer, client: ScramClient) -> None:
    """Both sides to the end; raises what either raises."""
    server_first = server.first(initial(client.mechanism, client.first()))
    client.verify(server.final(client.final(server_first)))


def client(password: str = "placeholder", binding: bytes = b"", over_tls: bool = False) -> ScramClient:
    return ScramClient(password, CLIENT_NONCE, SaltedPasswords(), binding, over_tls)


def test_the_example_of_rfc_7677() -> None:
    """Section 3: user `user`, password `pencil`. Only our half of the nonce is not base64 of 18 bytes: it is put in."""
    verifier = Verifier.of("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server = ScramServer(verifier, NONCE)
    server._own_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first = server.first(initial(SCRAM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
    assert first == b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    proof = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    final = server.final(b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=" + proof)
    assert final == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_verifier_is_the_one_that_postgresql_keeps() -> None:
    """SCRAM-SHA-256$4096:salt$StoredKey:ServerKey of pg_authid, computed as scram_build_secret does."""
    salted = hashlib.pbkdf2_hmac("sha256", b"placeholder", SALT, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert (VERIFIER.stored_key, VERIFIER.server_key) == (stored, hmac.digest(salted, b"Server Key", "sha256"))
    assert Verifier.from_json(VERIFIER.to_json()) == VERIFIER  # type: ignore[arg-type]
    assert stored.hex() not in repr(VERIFIER)


@pytest.mark.parametrize(("offered", "used"), [(b"", b""), (BINDING, BINDING)], ids=["plain", "plus"])
def test_a_client_with_the_placeholder_is_let_in(offered: bytes, used: bytes) -> None:
    server = ScramServer(VERIFIER, NONCE, offered)
    assert server.mechanisms == ((SCRAM_PLUS, SCRAM) if offered else (SCRAM,))
    exchange(server, client(binding=used, over_tls=bool(offered)))


def test_a_client_that_cannot_bind_is_let_in_where_binding_is_offered() -> None:
    exchange(ScramServer(VERIFIER, NONCE, BINDING), client())


@pytest.mark.parametrize("binding", [b"", BINDING])
def test_another_password_is_refused(binding: bytes) -> None:
    with pytest.raises(WrongProof, match="password authentication failed"):
        exchange(ScramServer(VERIFIER, NONCE, binding), client("guess", binding))


def test_a_binding_to_another_certificate_is_refused() -> None:
    other = hashlib.sha256(b"another leaf").digest()
    with pytest.raises(WrongProof, match="channel binding check failed"):
        exchange(ScramServer(VERIFIER, NONCE, BINDING), client(binding=other))


def test_a_client_that_was_shown_no_binding_is_refused_where_one_is_offered() -> None:
    with pytest.raises(WrongProof, match="something stands between"):
        exchange(ScramServer(VERIFIER, NONCE, BINDING), client(over_tls=True))
    exchange(ScramServer(VERIFIER, NONCE), client(over_tls=True))


def test_a_proof_serves_once() -> None:
    """The same client-final towards another exchange, whose nonce differs."""
    server, other = ScramServer(VERIFIER, NONCE), ScramServer(VERIFIER, b"\x03" * 18)
    one = client()
    final = one.final(server.first(initial(SCRAM, one.first())))
    other.first(initial(SCRAM, one.first()))
    with pytest.raises(WrongProof):
        other.final(final)
    server.final(final)


def test_a_nonce_has_its_length() -> None:
    with pytest.raises(ValueError, match="18 bytes"):
        ScramServer(VERIFIER, b"short")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"SCRAM-SHA-256",
        b"SCRAM-SHA-256\0",
        b"SCRAM-SHA-256\0\xff\xff\xff\xff",
        b"SCRAM-SHA-256\0\0\0\0\x09n,,n=,r=ab",
        initial("SCRAM-SHA-1", b"n,,n=,r=abc"),
        initial("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc"),
        initial(SCRAM, b"p=tls-server-end-point,,n=,r=abc"),
        initial(SCRAM, b"x,,n=,r=abc"),
        initial(SCRAM, b"n,a=admin,n=,r=abc"),
        initial(SCRAM, b"n,,m=must,n=,r=abc"),
        initial(SCRAM, b"n,,n=me"),
        initial(SCRAM, b"n,,r=abc,n=me"),
        initial(SCRAM, b"n,,n=,r="),
        initial(SCRAM, b"n,,n=,r=" + b"x" * 257),
        initial(SCRAM, b"n,,n=,r=a\x07b"),
        initial(SCRAM, b"n,,n=\xff,r=abc"),
    ],
)
def test_first_messages_that_are_none(body: bytes) -> None:
    with pytest.raises(PeerError):
        ScramServer(VERIFIER, NONCE).first(body)


@pytest.mark.parametrize(
    ("mechanism", "flag"), [(SCRAM_PLUS, b"n,,"), (SCRAM_PLUS, b"y,,"), (SCRAM, b"p=tls-server-end-point,,"),
                            (SCRAM_PLUS, b"p=tls-unique,,"), (SCRAM_PLUS, b"p=,,")],
)  # fmt: skip
def test_flag_and_mechanism_must_fit(mechanism: str, flag: bytes) -> None:
    with pytest.raises(PeerError):
        ScramServer(VERIFIER, NONCE, BINDING).first(initial(mechanism, flag + b"n=,r=abc"))


@pytest.mark.parametrize(
    "change",
    [
        lambda final: b"",
        lambda final: final.partition(b",p=")[0],
        lambda final: final[:-4],
        lambda final: final + b"=",
        lambda final: final + b",x=y",
        lambda final: final.replace(b"c=biws", b"c=!!!!"),
        lambda final: final.replace(b"c=", b"x="),
        lambda final: b"\xff" + final,
        lambda final: final.replace(b",r=", b",m="),
    ],
)
def test_final_messages_that_are_none(change: Callable[[bytes], bytes]) -> None:
    server, one = ScramServer(VERIFIER, NONCE), client()
    final = one.final(server.first(initial(SCRAM, one.first())))
    with pytest.raises(PeerError):
        server.final(change(final))


@given(st.binary(max_size=300))
def test_any_first_message_is_answered_or_refused(body: bytes) -> None:
    for binding in (b"", BINDING):
        try:
            answer = ScramServer(VERIFIER, NONCE, binding).first(body)
        except (PeerError, WrongProof):
            continue
        assert answer.startswith(b"r=")


@given(st.binary(max_size=300) | st.text().map(str.encode) | st.binary(max_size=64).map(
    lambda b: b"c=biws,r=x,p=" + base64.b64encode(b)))  # fmt: skip
def test_no_invented_final_message_is_let_in(body: bytes) -> None:
    server = ScramServer(VERIFIER, NONCE)
    server.first(initial(SCRAM, b"n,,n=,r=abc"))
    with pytest.raises((PeerError, WrongProof)):
        server.final(body)


@given(st.text(min_size=1).filter(lambda text: "\0" not in text), st.binary(min_size=1, max_size=32))
def test_any_password_serves_both_sides(password: str, salt: bytes) -> None:
    verifier = Verifier.of(password, salt, 1)
    try:
        password.encode()
    except UnicodeEncodeError:
        return
    exchange(ScramServer(verifier, NONCE, BINDING), client(password, BINDING))
