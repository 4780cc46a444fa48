"""Logging in: relayed where it can be, with the held credential where it cannot. The server's side is played here."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Connect, KeepCancelKey, Leg, StartTls
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.probe import PROBE
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
from tests.unit.protocols.postgres.wire import (
    AUTH_OK,
    FULL,
    ISSUED,
    KEY,
    OFF,
    PROBED,
    READY,
    SECRET,
    TERMINATE,
    begun,
    config,
    error,
    facts,
    message,
    startup,
    with_client_tls,
)

CLEAR, MD5 = m.authentication(3), m.authentication(5, b"salt")
SASL = m.authentication(10, b"SCRAM-SHA-256\0\0")
SASL_PLUS = m.authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
SSL = m.untyped(80877103)
NONCE = base64.b64encode(b"\x07" * 18).decode()
SALT, ROUNDS = b"salty", 4096


def password(text: bytes) -> bytes:
    return message("p", text)


def upstream(settings: PostgresConfig, client_tls: bool = False, binding: bytes = b"") -> Playbook:
    """A playbook in which the server may now demand authentication."""
    play = begun(settings)
    play = with_client_tls(play) if client_tls else play
    sent = startup() if settings.credential is None else startup_of_svc()
    play = play >> FromClient(startup()) << Connect() >> Connected()
    if settings.upstream_tls is FULL:
        play = play << ToUpstream(SSL) >> FromUpstream(b"S") << StartTls(Leg.UPSTREAM, ("postgresql",))
        play = play >> TlsStarted(Leg.UPSTREAM, binding)
    return play << ToUpstream(sent)


def startup_of_svc() -> bytes:
    return m.untyped(0x30000, b"user\0svc\0database\0me\0\0")


@pytest.mark.parametrize(("demand", "answer"), [(CLEAR, b"pw\0"), (MD5, b"md5abc\0")])
@pytest.mark.parametrize("tls", [OFF, FULL])
def test_passwords_are_relayed_and_not_captured(demand: bytes, answer: bytes, tls: object) -> None:
    play = (
        upstream(config(FULL if tls is FULL else OFF), client_tls=tls is FULL)
        >> FromUpstream(demand)
        << ToClient(demand)
        >> FromClient(password(answer))
        << ToUpstream(password(answer))
        >> FromUpstream(AUTH_OK + message("K", KEY) + READY)
        << ToUpstream(PROBE)
        << ToClient(AUTH_OK + message("K", ISSUED))
        << KeepCancelKey(ISSUED, KEY)
        >> FromUpstream(PROBED)
        << ToClient(READY)
        << facts(server_version="")
    )
    play.done()
    assert not play.trace.captured[Leg.CLIENT]


def test_scram_is_relayed_to_a_plaintext_client_without_channel_binding() -> None:
    more, final = m.authentication(11, b"r=x"), m.authentication(12, b"v=x")
    (
        upstream(config(FULL), binding=b"hash")
        >> FromUpstream(SASL_PLUS)
        << ToClient(SASL)
        >> FromClient(password(b"SCRAM-SHA-256\0..."))
        << ToUpstream(password(b"SCRAM-SHA-256\0..."))
        >> FromUpstream(more)
        << ToClient(more)
        >> FromClient(password(b"c=..."))
        << ToUpstream(password(b"c=..."))
        >> FromUpstream(final + AUTH_OK)
        << ToClient(final + AUTH_OK)
    ).done()


def test_scram_is_not_relayed_from_tls_into_tls() -> None:
    play = upstream(config(FULL), client_tls=True) >> FromUpstream(SASL_PLUS)
    told = bytes(play.trace.to_client)
    assert b"C28000" in told
    assert b"shop" in told
    assert b"Give the target a credential" in told
    assert isinstance(play.trace.commands[-1], Close)


def test_scram_is_relayed_from_tls_to_a_plaintext_server() -> None:
    (upstream(config(OFF), client_tls=True) >> FromUpstream(SASL) << ToClient(SASL)).done()


def test_a_wrong_password_of_the_clients_own_is_the_servers_to_tell() -> None:
    refusal = error("28P01", "FATAL", "password authentication failed")
    (
        upstream(config())
        >> FromUpstream(CLEAR)
        << ToClient(CLEAR)
        >> FromClient(password(b"x\0"))
        << ToUpstream(password(b"x\0"))
        >> FromUpstream(refusal)
        << ToClient(refusal)
        >> UpstreamLost()
        << Close()
    ).done()


def test_a_client_that_gives_up_at_the_prompt() -> None:
    (upstream(config()) >> FromUpstream(CLEAR) << ToClient(CLEAR) >> FromClient(TERMINATE) << Close()).done()


@pytest.mark.parametrize("data", [message("Q", b"drop table t\0"), b"p\0\1\0\0", message("p", bytes(70_000))])
def test_only_a_password_answers_a_demand(data: bytes) -> None:
    play = upstream(config()) >> FromUpstream(CLEAR) << ToClient(CLEAR)
    before = bytes(play.trace.to_upstream)
    with pytest.raises(PeerError):
        play >> FromClient(data)
    assert play.trace.to_upstream == before


@pytest.mark.parametrize("code", [2, 6, 7, 9, 99])
@pytest.mark.parametrize("credential", [None, SECRET])
def test_other_methods_are_refused(code: int, credential: object) -> None:
    play = upstream(config(credential=SECRET if credential else None)) >> FromUpstream(m.authentication(code))
    assert f"authentication method {code}".encode() in play.trace.to_client


# --- a held credential ----------------------------------------------------------------------------------------


def test_md5_with_the_credential() -> None:
    inner = hashlib.md5(b"pencilsvc").hexdigest().encode()
    answer = b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode() + b"\0"
    (
        upstream(config(credential=SECRET), client_tls=True)
        >> FromUpstream(MD5)
        << ToUpstream(password(answer))
        >> FromUpstream(AUTH_OK)
        << ToClient(AUTH_OK)
    ).done()


def test_a_clear_text_password_goes_over_tls_only() -> None:
    held = upstream(config(FULL, SECRET)) >> FromUpstream(CLEAR) << ToUpstream(password(b"pencil\0"))
    held.done()
    refused = upstream(config(OFF, SECRET)) >> FromUpstream(CLEAR)
    assert b"without TLS" in refused.trace.to_client
    assert b"pencil" not in refused.trace.to_upstream


def client_first(flag: str, plus: bool) -> bytes:
    first = f"{flag},,n=,r={NONCE}".encode()
    return password(
        (b"SCRAM-SHA-256-PLUS" if plus else b"SCRAM-SHA-256") + b"\0" + len(first).to_bytes(4, "big") + first
    )


def exchange(flag: str, binding: bytes = b"", secret: bytes = b"pencil") -> tuple[bytes, bytes, bytes]:
    """server-first, client-final and server-final, computed independently (RFC 5802 section 3)."""
    server_first = f"r={NONCE}srv,s={base64.b64encode(SALT).decode()},i={ROUNDS}"
    without_proof = f"c={base64.b64encode(flag.encode() + b',,' + binding).decode()},r={NONCE}srv"
    auth = f"n=,r={NONCE},{server_first},{without_proof}".encode()
    salted = hashlib.pbkdf2_hmac("sha256", secret, SALT, ROUNDS)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    verifier = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), auth, "sha256")
    return server_first.encode(), f"{without_proof},p={proof}".encode(), b"v=" + base64.b64encode(verifier)


@pytest.mark.parametrize(
    ("tls", "offer", "binding", "flag", "plus"),
    [
        (OFF, SASL, b"", "n", False),
        (FULL, SASL, b"hash", "y", False),
        (FULL, SASL_PLUS, b"hash", "p=tls-server-end-point", True),
        (FULL, SASL_PLUS, b"", "n", False),
    ],
)
def test_scram_with_the_credential(tls: object, offer: bytes, binding: bytes, flag: str, plus: bool) -> None:
    first, final, verifier = exchange(flag, binding if plus else b"")
    play = (
        upstream(config(FULL if tls is FULL else OFF, SECRET), client_tls=True, binding=binding)
        >> FromUpstream(offer)
        << ToUpstream(client_first(flag, plus))
        >> FromUpstream(m.authentication(11, first))
        << ToUpstream(password(final))
        >> FromUpstream(m.authentication(12, verifier) + AUTH_OK)
        << ToClient(AUTH_OK)
    )
    play.done()
    assert b"pencil" not in play.trace.to_client + play.trace.to_upstream


@pytest.mark.parametrize("end", [m.authentication(12, b"v=AAAA"), m.authentication(12, b"e=other-error"), AUTH_OK])
def test_a_server_that_does_not_prove_to_know_the_password_is_not_believed(end: bytes) -> None:
    first, final, _ = exchange("n")
    play = (
        upstream(config(OFF, SECRET))
        >> FromUpstream(SASL)
        << ToUpstream(client_first("n", False))
        >> FromUpstream(m.authentication(11, first))
        << ToUpstream(password(final))
    )
    with pytest.raises(PeerError):
        play >> FromUpstream(end)
    assert AUTH_OK not in play.trace.to_client


def test_a_wrong_credential_is_told_with_the_target_and_no_secret() -> None:
    refusal = error("28P01", "FATAL", 'password authentication failed for user "svc"')
    play = upstream(config(OFF, SECRET)) >> FromUpstream(MD5 + refusal)
    told = bytes(play.trace.to_client)
    assert b"C28P01\0Mtarget shop refused the credential that this host holds for it\0" in told
    assert b"pencil" not in told
    assert b"svc" not in told


def test_facts_name_both_users() -> None:
    (
        upstream(config(OFF, SECRET))
        >> FromUpstream(AUTH_OK + READY)
        << ToUpstream(PROBE)
        << ToClient(AUTH_OK)
        >> FromUpstream(PROBED)
        << ToClient(READY)
        << facts(upstream_user="svc", server_version="")
    ).done()
