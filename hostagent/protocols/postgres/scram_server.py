"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677; channel binding RFC 5929).

For clients that insist on being asked for a password: they prove to know the placeholder, and are shown that we know
it too. Of the placeholder only a `Verifier` is here, from which it cannot be read. Three rules:

1. Texts of the client are taken apart as strictly as the RFC's grammar allows; what does not fit is a `PeerError`.
2. A proof is checked to its end whatever is wrong with it, and compared in constant time.
3. "If the flag is set to 'y' and the server supports channel binding, the server MUST fail authentication. This is
   because the client thinks the server does not support channel binding" (RFC 5802 section 6): a stripped offer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Self

from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.scram import NONCE_BYTES, SCRAM, SCRAM_PLUS, saslprep

ITERATIONS = 4096  # PostgreSQL's own scram_iterations, and the least of RFC 7677; what is guarded is a placeholder
SALT_BYTES = 16  # as PostgreSQL's SCRAM_DEFAULT_SALT_LEN
MAX_NONCE = 256  # characters of a client's nonce; libpq sends 24
BINDING_TYPE = "tls-server-end-point"


class WrongProof(Exception):
    """The client does not know the password, or is bound to another TLS connection. The text is for the client."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept of a password: enough to check a proof, not enough to make one."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, password: str, salt: bytes, iterations: int = ITERATIONS) -> Self:
        """The verifier of a password (RFC 5802 section 3): StoredKey and ServerKey."""
        salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        return cls(salt, iterations, stored, hmac.digest(salted, b"Server Key", "sha256"))

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; `from_json` gives the verifier back."""
        keys = {"stored_key": self.stored_key.hex(), "server_key": self.server_key.hex()}
        return {"salt": self.salt.hex(), "iterations": self.iterations, **keys}

    @classmethod
    def from_json(cls, data: dict[str, str | int]) -> Self:
        """The verifier that `to_json` described. Raises ValueError, KeyError."""
        salt, stored, server = (bytes.fromhex(str(data[name])) for name in ("salt", "stored_key", "server_key"))
        return cls(salt, int(data["iterations"]), stored, server)


class ScramServer:
    """One exchange: `first(response)`, then `final(response)`; each takes a password message's body, gives the answer.

    `binding` is the tls-server-end-point data of the certificate that the client was shown: with it PLUS is offered,
    and a client that could have bound to it and says `y` is refused.
    """

    def __init__(self, verifier: Verifier, nonce: bytes, binding: bytes = b"") -> None:
        """`nonce` is NONCE_BYTES random bytes, used once."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        self._verifier = verifier
        self._own_nonce = base64.b64encode(nonce).decode()
        self._binding = binding
        self._gs2 = ""
        self._client_bare = ""
        self._server_first = ""
        self._nonce = ""

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What is offered, the strongest first."""
        return (SCRAM_PLUS, SCRAM) if self._binding else (SCRAM,)

    def first(self, body: bytes) -> bytes:
        """server-first-message for that SASLInitialResponse. Raises PeerError, WrongProof."""
        mechanism, text = _initial_response(body)
        if mechanism not in self.mechanisms:
            raise PeerError("a SASL mechanism that was not offered")
        self._gs2, self._client_bare = _split_gs2(text)
        self._require_binding(mechanism)
        self._nonce = _client_nonce(self._client_bare) + self._own_nonce
        salt = base64.b64encode(self._verifier.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        return self._server_first.encode()

    def final(self, body: bytes) -> bytes:
        """server-final-message for that SASLResponse. Raises PeerError, WrongProof."""
        without_proof, bound, nonce, proof = _client_final(_text(body))
        expected = self._gs2.encode() + (self._binding if self._gs2.startswith("p=") else b"")
        auth_message = ",".join((self._client_bare, self._server_first, without_proof)).encode()
        signature = hmac.digest(self._verifier.stored_key, auth_message, "sha256")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        known = hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key)
        same_nonce = hmac.compare_digest(nonce.encode(), self._nonce.encode())
        if not hmac.compare_digest(bound, expected):
            raise WrongProof("SCRAM channel binding check failed: this is not the TLS connection that it was made for")
        if not (known and same_nonce):
            raise WrongProof("password authentication failed")
        return b"v=" + base64.b64encode(hmac.digest(self._verifier.server_key, auth_message, "sha256"))

    def _require_binding(self, mechanism: str) -> None:
        flag = self._gs2.split(",")[0]
        if flag.startswith("p="):
            if mechanism != SCRAM_PLUS:
                raise PeerError("channel binding in a SCRAM exchange without it")
            if flag != f"p={BINDING_TYPE}":
                raise PeerError(f"a channel binding type other than {BINDING_TYPE}")
        elif mechanism == SCRAM_PLUS:
            raise PeerError("SCRAM-SHA-256-PLUS without channel binding")
        elif flag == "y" and self._binding:
            raise WrongProof("the client was not told that channel binding is offered here: something stands between")


def _initial_response(body: bytes) -> tuple[str, str]:
    """Mechanism and client-first-message of a SASLInitialResponse: a string, a 32-bit length, that many bytes."""
    name, pos = messages.cstring(body, 0)
    if len(body) < pos + 4 or int.from_bytes(body[pos : pos + 4], "big") != len(body) - pos - 4:
        raise PeerError("a SASL response of the wrong length")
    return name.decode("ascii", "replace"), _text(body[pos + 4 :])


def _split_gs2(text: str) -> tuple[str, str]:
    """gs2-header (`n,,`, `y,,` or `p=…,,`) and client-first-message-bare. An authorization identity is refused."""
    parts = text.split(",", 2)
    if len(parts) != 3 or not (parts[0] in ("n", "y") or parts[0].startswith("p=")):
        raise PeerError("a malformed SCRAM message from the client")
    if parts[1]:
        raise PeerError("a SCRAM authorization identity, which is not supported")
    return f"{parts[0]},,", parts[2]


def _client_nonce(bare: str) -> str:
    """The nonce of client-first-message-bare. The name is PostgreSQL's startup message's business and is not read."""
    parts = bare.split(",")
    if parts[0].startswith("m="):
        raise PeerError("a mandatory SCRAM extension, which is not supported")
    if len(parts) < 2 or not parts[0].startswith("n=") or not parts[1].startswith("r="):
        raise PeerError("a malformed SCRAM message from the client")
    nonce = parts[1][2:]
    if not 0 < len(nonce) <= MAX_NONCE:
        raise PeerError("a SCRAM nonce of impossible length from the client")
    return nonce


def _client_final(text: str) -> tuple[str, bytes, str, bytes]:
    """client-final-message: the part without proof, channel binding data, nonce, proof."""
    without_proof, _, last = text.rpartition(",p=")
    parts = without_proof.split(",")
    if len(parts) < 2 or not parts[0].startswith("c=") or not parts[1].startswith("r="):
        raise PeerError("a malformed SCRAM message from the client")
    proof = _base64(last)
    if len(proof) != hashlib.sha256().digest_size:
        raise PeerError("a SCRAM proof of the wrong length")
    return without_proof, _base64(parts[0][2:]), parts[1][2:], proof


def _text(data: bytes) -> str:
    """UTF-8, for the name that some clients put there; the grammar knows no control characters."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise PeerError("a SCRAM message that is not text from the client")
    return text


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PeerError("a SCRAM message that is not base64 from the client") from None
