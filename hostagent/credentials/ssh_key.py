"""What a credential's private key does for an SSH login: it signs one authentication request, or a user certificate.

The key stays here, in the supervisor. A worker asks with the session id of its connection; the request that is signed
is put together here, so that nothing else can be had signed. Source: RFC 4252 section 7 (publickey), RFC 8332 (RSA with
SHA-2), RFC 5656 section 3.1.2 (ECDSA), RFC 8709 (Ed25519), PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import os
import struct
import time
from base64 import b64decode
from collections.abc import Iterable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType, load_ssh_public_key

from hostagent.credentials.secret import Unavailable

MSG_USERAUTH_REQUEST = 50
MAX_SESSION_ID = 64  # bytes: a hash of the key exchange
BACKDATE = 120  # seconds; the server's clock may run behind
MIN_RSA = 2048
_EXTENSIONS = (b"permit-X11-forwarding", b"permit-agent-forwarding", b"permit-port-forwarding", b"permit-pty",
               b"permit-user-rc")  # fmt: skip
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_CURVE_NAMES = {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {"rsa-sha2-512": hashes.SHA512(), "rsa-sha2-256": hashes.SHA256()}

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SshKey:
    """A private key of a credential."""

    def __init__(self, secret: str, name: str) -> None:
        """`secret`: OpenSSH or PEM text; `name` is the credential's. Raises Unavailable, which quotes no secret."""
        self._name = name
        self._key = _load(secret.encode(), name)

    @property
    def public_key(self) -> str:
        """`ssh-ed25519 AAAA…`."""
        encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        return self._key.public_key().public_bytes(encoding, form).decode()

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that it can be used with, the best first."""
        return algorithms_of(self.public_key)

    def sign_login(self, session_id: bytes, user: str, algorithm: str) -> bytes:
        """The signature of one authentication request, as it goes into it. Raises ValueError for another algorithm."""
        request = login_request(session_id, user, algorithm, self.public_key)
        return _string(algorithm.encode()) + _string(self._sign(request, algorithm))

    def user_certificate(
        self, public_key: str, principals: Iterable[str], lifetime: int, key_id: str, force_command: str | None
    ) -> str:
        """A certificate for that user key, signed with this one. Raises ValueError for what is no public key."""
        subject = load_ssh_public_key(public_key.encode())
        if not isinstance(subject, ec.EllipticCurvePublicKey):
            raise ValueError("certificates are made for elliptic-curve keys")
        now = int(time.time())
        builder = (
            SSHCertificateBuilder()
            .public_key(subject)
            .serial(int.from_bytes(os.urandom(8), "big"))
            .type(SSHCertificateType.USER)
            .key_id(key_id.encode())
            .valid_principals([name.encode() for name in principals])
            .valid_after(now - BACKDATE)
            .valid_before(now + lifetime)
        )
        for extension in _EXTENSIONS:
            builder = builder.add_extension(extension, b"")
        if force_command is not None:
            builder = builder.add_critical_option(b"force-command", force_command.encode())
        return builder.sign(self._key).public_bytes().decode()

    def _sign(self, data: bytes, algorithm: str) -> bytes:
        key = self._key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), _RSA_HASHES[algorithm])
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVE_HASHES[key.curve.name])))
        return _mpint(r) + _mpint(s)


def algorithms_of(public_key: str) -> tuple[str, ...]:
    """The signature algorithms of that key (`ssh-rsa AAAA…`), the best first."""
    kind = public_key.split()[0]
    return tuple(_RSA_HASHES) if kind == "ssh-rsa" else (kind,)


def blob_of(public_key: str) -> bytes:
    """The key as it goes over the wire. Raises ValueError."""
    return b64decode(public_key.split()[1], validate=True)


def login_request(session_id: bytes, user: str, algorithm: str, public_key: str) -> bytes:
    """What is signed to log in with that key. Raises ValueError for an algorithm that is not the key's."""
    if algorithm not in algorithms_of(public_key) or not 0 < len(session_id) <= MAX_SESSION_ID:
        raise ValueError("no such signature can be made")
    return b"".join((
        _string(session_id), bytes((MSG_USERAUTH_REQUEST,)), _string(user.encode()), _string(b"ssh-connection"),
        _string(b"publickey"), b"\x01", _string(algorithm.encode()), _string(blob_of(public_key)),
    ))  # fmt: skip


def _load(secret: bytes, name: str) -> Private:
    pem = secret if secret.endswith(b"\n") else secret + b"\n"
    load = serialization.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in pem else serialization.load_pem_private_key
    hint = "give a private key in OpenSSH or PEM form, without a passphrase"
    try:
        key = load(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unavailable(f"credential {name}: it holds no usable private key", hint) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= MIN_RSA:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVE_NAMES:
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise Unavailable(f"credential {name}: its key is none of RSA ({MIN_RSA} bits), ECDSA and Ed25519", hint)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _mpint(value: int) -> bytes:
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big"))
