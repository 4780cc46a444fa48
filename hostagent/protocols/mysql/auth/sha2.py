"""caching_sha2_password and sha256_password: SHA-256 under the scramble, or the password itself, sealed.

Over TLS the password itself may be asked for; without TLS it is sealed with the server's RSA key. Source: MySQL
"Caching SHA-2 Pluggable Authentication", "SHA-256 Pluggable Authentication".
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hostagent.errors import PeerError

CACHING = "caching_sha2_password"
PLAIN = "sha256_password"

FAST_OK = b"\x03"  # caching_sha2: the server remembered the proof
FULL = b"\x04"  # … it did not, and wants the password itself
KEY_REQUEST = {CACHING: b"\x02", PLAIN: b"\x01"}


def proof(password: bytes, scramble: bytes) -> bytes:
    """SHA256(password) XOR SHA256(SHA256(SHA256(password)) + scramble); empty for no password."""
    if not password:
        return b""
    once = hashlib.sha256(password).digest()
    mask = hashlib.sha256(hashlib.sha256(once).digest() + scramble).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


def sealed(password: bytes, scramble: bytes, key_pem: bytes) -> bytes:
    """The password for the server's public key: OAEP with SHA-1 over password and NUL, XOR the scramble.

    Raises PeerError for what is no RSA key of 2048 bits or more.
    """
    try:
        key = load_pem_public_key(key_pem)
    except ValueError:
        raise PeerError("what the server sent as its public key is none") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048 or not scramble:
        raise PeerError("a public key from the server that is not RSA with 2048 bits or more")
    masked = bytes(byte ^ scramble[i % len(scramble)] for i, byte in enumerate(password + b"\0"))
    try:
        return key.encrypt(masked, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))  # noqa: S303
    except ValueError:
        raise PeerError("a password that is too long for the server's public key") from None
