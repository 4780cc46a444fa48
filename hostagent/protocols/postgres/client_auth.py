"""The client shows that it knows the placeholder password of the target, before the server is logged in to.

Who the client is, the kernel has said already; this is for clients that insist on a password exchange
(`require_auth=scram-sha-256`, `channel_binding=require`), and so that a stray connection does not get in by accident.
"""

from __future__ import annotations

from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.messages import AUTH_SASL, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL
from hostagent.protocols.postgres.scram import NONCE_BYTES
from hostagent.protocols.postgres.scram_server import ScramServer, Verifier, WrongProof


class ClientProof:
    """One SCRAM exchange in PostgreSQL's messages. `complete`: the client knows the placeholder."""

    def __init__(self, config: PostgresConfig, placeholder: Verifier, binding: bytes) -> None:
        """`binding`: tls-server-end-point data of our leaf, empty on a plaintext leg."""
        self.complete = False
        self._target = config.target
        self._scram = ScramServer(placeholder, config.random_bytes(NONCE_BYTES), binding)
        self._begun = False

    def demand(self) -> bytes:
        """AuthenticationSASL with what is offered."""
        offered = b"".join(name.encode() + b"\0" for name in self._scram.mechanisms)
        return messages.authentication(AUTH_SASL, offered + b"\0")

    def answered(self, body: bytes) -> bytes:
        """What a password message's body is answered with. Raises `Refused` for a wrong proof, or PeerError."""
        try:
            if not self._begun:
                self._begun = True
                return messages.authentication(AUTH_SASL_CONTINUE, self._scram.first(body))
            final = self._scram.final(body)
        except WrongProof as wrong:
            raise Refused(
                "28P01",
                f"target {self._target}: {wrong}",
                "This host asks for the placeholder password of the target, not for the server's own.",
            ) from None
        self.complete = True
        return messages.authentication(AUTH_SASL_FINAL, final)
