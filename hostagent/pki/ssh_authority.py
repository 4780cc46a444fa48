"""The host's own SSH CA: its key is readable by the supervisor only; it signs host certificates for the workers' keys.

P-256, which every OpenSSH since 5.7 and FIPS hosts take. The certificates name no host: a client checks them against
the name that its user typed, an alias or a short name as it may be, which nobody but the client knows; whom it has
reached, the kernel says. "Any host" is an empty list of principals until OpenSSH 10.3, and the pattern `*` from there
on: each takes the other for no name of the host. Source: PROTOCOL.certkeys and release notes of OpenSSH.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

from hostagent.errors import FileError, Location
from hostagent.private_file import make_private, read_private

HOST_LIFETIME = 86_400  # seconds; a worker asks for another one long before
BACKDATE = 3600  # seconds; clocks of containers and clients may run behind
_FIX = "remove the file to have a new CA made, and run `hostagent ca install` again"


class SshAuthority:
    """One object in the supervisor; it holds the CA key in memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def load_or_create(cls, file: Path) -> SshAuthority:
        """The CA whose key is in this file, or a new one when there is none. Raises FileError."""
        where = Location(str(file))
        try:
            if not file.exists():
                _create(file)
            key = serialization.load_pem_private_key(read_private(file), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise FileError(where, f"the SSH CA key cannot be used: {error}", _FIX) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise FileError(where, "the SSH CA key is not an elliptic-curve key", _FIX)
        return cls(key)

    @property
    def public_key(self) -> str:
        """What clients have to trust: `ecdsa-sha2-nistp256 AAAA…`."""
        encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        return self._key.public_key().public_bytes(encoding, form).decode()

    def host_certificate(self, public_key: str, *, pattern: bool) -> str:
        """A certificate for a worker's host key, in OpenSSH's form, good for any host: by the pattern `*`, or by naming
        none. Raises ValueError for what is no such key."""
        key = serialization.load_ssh_public_key(public_key.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("host certificates are made for elliptic-curve keys")
        now = int(time.time())
        builder = SSHCertificateBuilder()
        every: Callable[[], SSHCertificateBuilder] = builder.valid_for_all_principals
        builder = builder.valid_principals([b"*"]) if pattern else every()
        builder = builder.public_key(key).type(SSHCertificateType.HOST).key_id(b"hostagent")
        builder = builder.serial(int.from_bytes(os.urandom(8), "big"))
        builder = builder.valid_after(now - BACKDATE).valid_before(now + HOST_LIFETIME)
        return builder.sign(self._key).public_bytes().decode()


def _create(file: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    make_private(file, pem)
