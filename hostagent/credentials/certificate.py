"""The client certificate of an upstream leg: read and checked by the supervisor, handed to a worker as text.

A worker reads no key file: what it can open, code that breaks into it can open too.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hostagent.credentials.sources import read_private
from hostagent.errors import FileError, Location

MAX_PEM = 256 << 10  # bytes of a chain or a key
_FIX = "give a PEM file with the certificate first, then its chain"


def read_client_certificate(cert_file: str, key_file: str, target: str) -> str:
    """Key and chain as one PEM text. Raises FileError when they cannot be used, or others can read the key."""
    name = f"target {target}: tls"
    chain = read_private(Path(cert_file), f"{name}.cert_file", MAX_PEM, shared=0)
    key = read_private(Path(key_file), f"{name}.key_file", MAX_PEM)
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError):
        raise FileError(Location(cert_file), f"{name}.cert_file: not a PEM certificate", _FIX) from None
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except TypeError:
        what = f"{name}.key_file: the key has a passphrase"
        raise FileError(Location(key_file), what, f"openssl pkey -in {key_file} -out …") from None
    except ValueError:
        raise FileError(Location(key_file), f"{name}.key_file: not a PEM key") from None
    if private.public_key() != certificate.public_key():
        raise FileError(Location(key_file), f"{name}.key_file: the key does not belong to {cert_file}")
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        until = certificate.not_valid_after_utc.date()
        raise FileError(Location(cert_file), f"{name}.cert_file: it has expired, on {until}", "renew it")
    return (key.rstrip() + b"\n" + chain).decode("ascii", "replace")
