"""Logging in to the server: with the client's own answers (`Relayed`), or with a credential we hold (`Held`).

Both take what the server demands, one Authentication message at a time, and say what goes to which leg. Two rules:

1. A held credential never goes towards the client, nor in clear over a connection without verified TLS.
2. SCRAM cannot be relayed from one TLS connection into another. The server offers channel binding; a client that sees
   TLS and no such offer says so (gs2 flag `y`), and the server must then refuse (RFC 5802 section 6). A client without
   TLS says `n`, and is let in. So it is relayed to a plaintext client, and refused at once to any other.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from hostagent.errors import PeerError
from hostagent.protocols.base import Credential
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.messages import (
    AUTH_CLEARTEXT,
    AUTH_MD5,
    AUTH_SASL,
    AUTH_SASL_CONTINUE,
    AUTH_SASL_FINAL,
)
from hostagent.protocols.postgres.scram import NONCE_BYTES, SCRAM, SCRAM_PLUS, ScramClient
from hostagent.values.target import UpstreamTls

MAX_ANSWER = 65_535  # bytes of a password message: PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH


@dataclass(frozen=True, slots=True)
class Step:
    """What one demand of the server leads to: bytes for either leg."""

    to_client: bytes = b""
    to_upstream: bytes = b""


class Login(ABC):
    """One login. `awaiting`: the client owes an answer; nobody else's bytes are taken for one."""

    awaiting = False

    @abstractmethod
    def demanded(self, code: int, data: bytes) -> Step:
        """The server sent Authentication `code` other than OK. Raises `Refused` or PeerError."""

    @abstractmethod
    def accepted(self) -> None:
        """The server sent AuthenticationOk. Raises PeerError when it did so without what it had to prove."""

    @abstractmethod
    def failed(self, error: bytes) -> bytes:
        """What the client is sent for that ErrorResponse (a whole message) of the server."""


class Relayed(Login):
    """The client logs in itself; password messages pass through."""

    def __init__(self, target: str, client_tls: bool) -> None:
        self._target = target
        self._client_tls = client_tls

    def demanded(self, code: int, data: bytes) -> Step:
        """Pass the demand on, without channel binding among the mechanisms."""
        if code == AUTH_SASL:
            data = self._without_binding(data)
        elif code not in (AUTH_CLEARTEXT, AUTH_MD5, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL):
            raise _unknown_method(self._target, code)
        self.awaiting = code != AUTH_SASL_FINAL
        return Step(to_client=messages.authentication(code, data))

    def accepted(self) -> None:
        """Nothing of ours was proven."""
        self.awaiting = False

    def failed(self, error: bytes) -> bytes:
        """The server's own error."""
        return error

    def _without_binding(self, data: bytes) -> bytes:
        offered = messages.mechanisms(data)
        kept = [name for name in offered if not name.endswith("-PLUS")]
        if len(kept) == len(offered):
            return data
        if self._client_tls or not kept:
            raise Refused(
                "28000",
                f"target {self._target} demands SCRAM with channel binding, which cannot be relayed over TLS",
                "Give the target a credential in the policy: this host then logs in with it.",
            )
        return b"".join(name.encode("ascii", "replace") + b"\0" for name in kept) + b"\0"


class Held(Login):
    """We log in with the credential. `binding`: tls-server-end-point data, empty without TLS or a usable hash."""

    def __init__(self, config: PostgresConfig, credential: Credential, binding: bytes) -> None:
        self._target = config.target
        self._credential = credential
        self._config = config
        self._upstream_tls = config.upstream_tls is not UpstreamTls.OFF
        self._binding = binding
        self._scram: ScramClient | None = None

    def demanded(self, code: int, data: bytes) -> Step:
        """Answer the server ourselves."""
        if code == AUTH_CLEARTEXT:
            if not self._upstream_tls:
                raise Refused(
                    "28000",
                    f"target {self._target} demands a clear-text password over a connection without TLS",
                    "Turn TLS on for the target in the policy, or let the server use scram-sha-256.",
                )
            return self._answer(self._credential.secret.encode() + b"\0")
        if code == AUTH_MD5:
            return self._answer(md5_answer(self._credential, data))
        if code == AUTH_SASL:
            return self._first(messages.mechanisms(data))
        if code == AUTH_SASL_CONTINUE and self._scram is not None:
            return self._answer(self._scram.final(data))
        if code == AUTH_SASL_FINAL and self._scram is not None:
            self._scram.verify(data)
            return Step()
        raise _unknown_method(self._target, code)

    def accepted(self) -> None:
        """Once SCRAM has begun, only a server that proved to know the password is believed."""
        if self._scram is not None and not self._scram.verified:
            raise PeerError("the server ended SCRAM without its signature")

    def failed(self, error: bytes) -> bytes:
        """An error about logging in is told in our words, which name the target and no secret; others pass."""
        sqlstate = messages.error_fields(error[messages.HEADER_SIZE :]).get("C", "")
        if not sqlstate.startswith("28"):
            return error
        return Refused(
            sqlstate,
            f"target {self._target} refused the credential that this host holds for it",
            "The operator of this host can check the target's credential; the server's log has the reason.",
        ).response()

    def _first(self, offered: list[str]) -> Step:
        if SCRAM_PLUS in offered and self._binding:
            self._scram = self._exchange(self._binding, over_tls=True)
        elif SCRAM in offered:
            self._scram = self._exchange(b"", over_tls=self._upstream_tls and SCRAM_PLUS not in offered)
        else:
            raise Refused("28000", f"target {self._target} offers no SASL mechanism that is known here")
        first = self._scram.first()
        return self._answer(self._scram.mechanism.encode() + b"\0" + len(first).to_bytes(4, "big") + first)

    def _exchange(self, binding: bytes, over_tls: bool) -> ScramClient:
        nonce = self._config.random_bytes(NONCE_BYTES)
        return ScramClient(self._credential.secret, nonce, self._config.salted, binding, over_tls)

    def _answer(self, body: bytes) -> Step:
        return Step(to_upstream=messages.message(messages.PASSWORD, body))


def md5_answer(credential: Credential, salt: bytes) -> bytes:
    """The answer to AuthenticationMD5Password: `md5` + md5(md5(secret + user) + salt), NUL-terminated."""
    if len(salt) != 4:
        raise PeerError("an MD5 salt that is not four bytes")
    inner = hashlib.md5((credential.secret + credential.user).encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode() + b"\0"


def _unknown_method(target: str, code: int) -> Refused:
    return Refused(
        "28000",
        f"target {target} demands authentication method {code}, which cannot be relayed",
        "Trust, password, md5 and scram-sha-256 are known; for these see pg_hba.conf of the server.",
    )
