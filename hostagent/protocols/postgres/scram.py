"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side (RFC 5802, RFC 7677; channel binding RFC 5929).

PostgreSQL takes the user name from the startup message and wants it empty in SCRAM; its channel binding type is
tls-server-end-point. Nothing here is sent: each step takes the server's text and gives ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stringprep
import unicodedata
from collections import OrderedDict

from hostagent.errors import PeerError

SCRAM, SCRAM_PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
NONCE_BYTES = 18  # as libpq's SCRAM_RAW_NONCE_LEN
MAX_ITERATIONS = 1_000_000  # 0.3 s of hashing: above any published advice, below what would stall a worker
MAX_SALTED = 256  # salted passwords remembered; a credential has one for each server role it logs in to


class SaltedPasswords:
    """Remembers salted passwords (the dear step, 1 ms and more), so that each is computed once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bytes, int], bytes] = OrderedDict()

    def get(self, password: str, salt: bytes, iterations: int) -> bytes:
        """Hi(password, salt, iterations) of RFC 5802. The password itself is not kept, only its hash."""
        prepared = saslprep(password).encode()
        key = (hashlib.sha256(prepared).digest(), salt, iterations)
        found = self._known.get(key)
        if found is None:
            found = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
            self._known[key] = found
            if len(self._known) > MAX_SALTED:
                self._known.popitem(last=False)
        return found


class ScramClient:
    """One exchange: `first()`, `final(server_first)`, `verify(server_final)`, in that order.

    `binding` is the tls-server-end-point data and makes it SCRAM-SHA-256-PLUS; empty means no channel binding, and
    `over_tls` then says so to the server (gs2 flag `y`: we could, you did not offer it).
    """

    def __init__(
        self, password: str, nonce: bytes, salted: SaltedPasswords, binding: bytes = b"", over_tls: bool = False
    ) -> None:
        self._password = password
        self._salted = salted
        self._nonce = base64.b64encode(nonce).decode()
        self._gs2 = "p=tls-server-end-point,," if binding else ("y,," if over_tls else "n,,")
        self._binding = binding
        self._server_signature = b""
        self.verified = False

    @property
    def mechanism(self) -> str:
        """The mechanism's SASL name."""
        return SCRAM_PLUS if self._binding else SCRAM

    def first(self) -> bytes:
        """client-first-message."""
        return (self._gs2 + self._bare()).encode()

    def final(self, server_first: bytes) -> bytes:
        """client-final-message for that server-first-message. Raises PeerError."""
        text = _text(server_first)
        nonce, salt, iterations = _server_first(text, self._nonce)
        bound = base64.b64encode(self._gs2.encode() + self._binding).decode()
        without_proof = f"c={bound},r={nonce}"
        auth_message = ",".join((self._bare(), text, without_proof)).encode()
        salted = self._salted.get(self._password, salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), auth_message)
        self._server_signature = _hmac(_hmac(salted, b"Server Key"), auth_message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Check the server's signature: it knows the password too. Raises PeerError when it does not."""
        text = _text(server_final)
        if not self._server_signature or not text.startswith("v="):
            raise PeerError("the server ended SCRAM without its signature")
        if not hmac.compare_digest(_base64(text[2:].split(",")[0]), self._server_signature):
            raise PeerError("the server's SCRAM signature is wrong: it does not know the password")
        self.verified = True

    def _bare(self) -> str:
        return f"n=,r={self._nonce}"


def saslprep(password: str) -> str:
    """The password as SCRAM hashes it (RFC 4013); like PostgreSQL, one that cannot be prepared is taken as it is."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(_prohibited(c) for c in prepared) or any(stringprep.in_table_a1(c) for c in prepared):
        return password
    if any(stringprep.in_table_d1(c) for c in prepared):
        ends_right = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if not ends_right or any(stringprep.in_table_d2(c) for c in prepared):
            return password
    return prepared


def _prohibited(c: str) -> bool:
    return (
        stringprep.in_table_c12(c)
        or stringprep.in_table_c21_c22(c)
        or stringprep.in_table_c3(c)
        or stringprep.in_table_c4(c)
        or stringprep.in_table_c5(c)
        or stringprep.in_table_c6(c)
        or stringprep.in_table_c7(c)
        or stringprep.in_table_c8(c)
        or stringprep.in_table_c9(c)
    )


def _server_first(text: str, client_nonce: str) -> tuple[str, bytes, int]:
    parts = text.split(",")
    if len(parts) < 3 or [p[:2] for p in parts[:3]] != ["r=", "s=", "i="]:
        raise PeerError("a malformed SCRAM challenge from the server")
    nonce, salt, count = parts[0][2:], _base64(parts[1][2:]), parts[2][2:]
    if not nonce.startswith(client_nonce) or len(nonce) == len(client_nonce):
        raise PeerError("a SCRAM challenge for another nonce from the server")
    if not (count.isascii() and count.isdigit() and len(count) <= 7 and 1 <= int(count) <= MAX_ITERATIONS):
        raise PeerError(f"a SCRAM iteration count outside 1 to {MAX_ITERATIONS} from the server")
    return nonce, salt, int(count)


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise PeerError("a SCRAM message that is not text from the server") from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise PeerError("a SCRAM message that is not base64 from the server") from None


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
