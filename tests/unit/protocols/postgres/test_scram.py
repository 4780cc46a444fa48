"""Our side of SCRAM towards a server: whatever it sends, it is believed only with the password's own proof."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.errors import PeerError
from hostagent.protocols.postgres.scram import MAX_ITERATIONS, SaltedPasswords, ScramClient

NONCE = b"\x01" * 18
OURS = base64.b64encode(NONCE).decode()


class Cheap(SaltedPasswords):
    """No hashing: what is tested here comes before it."""

    def get(self, password: str, salt: bytes, iterations: int) -> bytes:
        assert 1 <= iterations <= MAX_ITERATIONS
        return b"\x05" * 32


def client() -> ScramClient:
    return ScramClient("pencil", NONCE, Cheap())


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        f"r={OURS}x",
        f"r={OURS},s=c2FsdA==,i=4096",  # no nonce of the server's own
        "r=other,s=c2FsdA==,i=4096",
        f"r={OURS}x,s=!,i=4096",
        f"r={OURS}x,s=c2FsdA==,i=0",
        f"r={OURS}x,s=c2FsdA==,i=-1",
        f"r={OURS}x,s=c2FsdA==,i=1000001",
        f"r={OURS}x,s=c2FsdA==,i=99999999999999999999",
        f"r={OURS}x,s=c2FsdA==,i=٤٠٩٦",
        f"m=ext,r={OURS}x,s=c2FsdA==,i=4096",
    ],
)
def test_challenges_that_are_none(challenge: str) -> None:
    one = client()
    one.first()
    with pytest.raises(PeerError):
        one.final(challenge.encode())


@pytest.mark.parametrize("rounds", [1, 4096, MAX_ITERATIONS])
def test_a_challenge_is_answered(rounds: int) -> None:
    assert client().final(f"r={OURS}x,s=c2FsdA==,i={rounds}".encode()).startswith(f"c=biws,r={OURS}x,p=".encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"r={OURS}{text}".encode()))
def test_any_challenge_is_answered_or_refused(challenge: bytes) -> None:
    try:
        answer = client().final(challenge)
    except PeerError:
        return
    assert answer.startswith(f"c=biws,r={OURS}".encode())


@given(st.binary(max_size=100) | st.binary(max_size=64).map(lambda data: b"v=" + base64.b64encode(data)))
def test_no_invented_signature_is_believed(final: bytes) -> None:
    one = client()
    one.final(f"r={OURS}x,s=c2FsdA==,i=1".encode())
    with pytest.raises(PeerError):
        one.verify(final)
    assert not one.verified


def test_a_signature_before_the_challenge_is_not_believed() -> None:
    with pytest.raises(PeerError):
        client().verify(b"v=")
