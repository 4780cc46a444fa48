"""A target with a placeholder password: the client proves to know it, or the server hears nothing."""

from __future__ import annotations

import base64

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Connect
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import PostgresConfig, PostgresSession, SaltedPasswords
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.opening import Opening
from hostagent.protocols.postgres.scram import ScramClient
from hostagent.protocols.postgres.scram_server import Verifier
from hostagent.protocols.postgres.settings import Settings
from hostagent.protocols.postgres.startup import Startup
from tests.unit.protocols.playbook import Connected, FromClient, FromUpstream, Playbook, ToClient, ToUpstream
from tests.unit.protocols.postgres.wire import AUTH_OK, FULL, OFF, SECRET, TERMINATE, begun, error, message, startup

VERIFIER = Verifier.of("placeholder", b"salt" * 4)
OFFER = m.authentication(10, b"SCRAM-SHA-256\0\0")
OURS = m.untyped(0x30000, b"user\0svc\0database\0me\0\0")
SSL = m.untyped(80877103)


def settings(tls: object = OFF) -> PostgresConfig:
    upstream = FULL if tls is FULL else OFF
    return PostgresConfig("shop", upstream, SECRET, SaltedPasswords(), lambda n: b"\x07" * n, placeholder=VERIFIER)


def asked(tls: object = OFF) -> Playbook:
    """A playbook in which the client was asked for the placeholder."""
    play = begun(settings(tls)) >> FromClient(startup()) << Connect() >> Connected()
    return play << ToClient(OFFER)


def proof(password: str = "placeholder") -> tuple[bytes, bytes, bytes, bytes]:
    """Both messages of a client, and what it is answered: computed by our own client's side."""
    client = ScramClient(password, b"\x01" * 18, SaltedPasswords())
    first = client.first()
    nonce = base64.b64encode(b"\x01" * 18).decode() + base64.b64encode(b"\x07" * 18).decode()
    challenge = f"r={nonce},s={base64.b64encode(VERIFIER.salt).decode()},i=4096".encode()
    final = client.final(challenge)
    signed = b"v=" + base64.b64encode(client._server_signature)
    initial = b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first
    return message("p", initial), m.authentication(11, challenge), message("p", final), m.authentication(12, signed)


def test_the_server_is_logged_in_to_once_the_client_has_proven_itself() -> None:
    initial, challenge, final, signed = proof()
    play = (
        asked()
        >> FromClient(initial)
        << ToClient(challenge)
        >> FromClient(final)
        << ToUpstream(OURS)
        << ToClient(signed)
        >> FromUpstream(AUTH_OK)
        << ToClient(AUTH_OK)
    )
    play.done()
    assert not play.trace.captured[next(iter(play.trace.captured))]


def test_a_wrong_placeholder_reaches_no_server() -> None:
    initial, challenge, final, _ = proof("guess")
    play = asked() >> FromClient(initial) << ToClient(challenge) >> FromClient(final)
    told = bytes(play.trace.to_client)
    assert b"SFATAL\0VFATAL\0C28P01\0Mtarget shop: password authentication failed\0" in told
    assert b"the placeholder password of the target" in told
    assert play.trace.to_upstream == b"" and isinstance(play.trace.commands[-1], Close)


@pytest.mark.parametrize("data", [message("Q", b"drop table t\0"), message("p", b"placeholder\0"), message("p", b"")])
def test_what_is_no_proof(data: bytes) -> None:
    play = asked()
    with pytest.raises(PeerError):
        play >> FromClient(data)
    assert play.trace.to_upstream == b""


def test_a_client_that_gives_up() -> None:
    (asked() >> FromClient(TERMINATE) << Close()).done()


def test_a_server_that_speaks_before_it_was_asked() -> None:
    with pytest.raises(PeerError):
        asked() >> FromUpstream(AUTH_OK)


def test_a_server_that_loses_patience_is_heard() -> None:
    refusal = error("08006", "FATAL", "too late")
    (asked() >> FromUpstream(refusal) << ToClient(refusal)).done()


BINDING = b"\x0b" * 32
PLUS_OFFER = m.authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")


class OverTls:
    """An opening whose client leg has TLS with our leaf, and a client that binds to `seen`."""

    def __init__(self, seen: bytes) -> None:
        self.session = PostgresSession(settings())
        self.inbox = Inbox()
        me = Startup(0x30000, (("user", "me"),))
        self.opening = Opening(self.session, settings(), Settings(), me, True, b"", BINDING)
        assert self.session.to_client == [PLUS_OFFER]
        self.client = ScramClient("placeholder", b"\x01" * 18, SaltedPasswords(), seen)

    def say(self, body: bytes) -> bytes:
        """Send a password message; the data of the Authentication message that answers it."""
        self.session.to_client.clear()
        self.inbox.feed(message("p", body))
        assert not self.opening.answered(self.inbox)
        return self.session.to_client[0][m.HEADER_SIZE + 4 :]

    def prove(self) -> None:
        first = self.client.first()
        challenge = self.say(b"SCRAM-SHA-256-PLUS\0" + len(first).to_bytes(4, "big") + first)
        self.client.verify(self.say(self.client.final(challenge)))


def test_over_tls_the_client_can_bind_to_our_leaf() -> None:
    stage = OverTls(BINDING)
    stage.prove()
    assert stage.client.verified and stage.session.to_upstream == [OURS]


def test_a_client_that_saw_another_leaf_reaches_no_server() -> None:
    stage = OverTls(b"\x0c" * 32)
    with pytest.raises(Refused, match="channel binding check failed"):
        stage.prove()
    assert stage.session.to_upstream == []
