"""Who the upstream must prove to be: the TLS contexts of the upstream leg. None of them skips verification."""

from __future__ import annotations

import hashlib
import os
import ssl
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from hostagent.errors import HostError
from hostagent.values.target import Target, UpstreamTls

_CLIENT = "check the target's tls.cert_file and tls.key_file"
_CA_FILE = "the target's tls.ca_file must be PEM and readable by the workers"


def context_for(target: Target, client_pem: str = "") -> ssl.SSLContext:
    """The client-side context for this target; contexts are shared, making one costs 20 ms.

    `client_pem`: our client certificate, key and chain, for servers that ask for one; empty for none.
    Raises HostError when the CA file cannot be read, ValueError when the target's upstream leg is plaintext.
    """
    if target.tls is UpstreamTls.OFF:
        raise ValueError(f"target {target.name} has no TLS on its upstream leg")
    changed = _mtime(target.ca_file) if target.ca_file else 0
    return _context(target.ca_file, target.tls is UpstreamTls.VERIFY_FULL, changed, client_pem)


@lru_cache(maxsize=256)
def _context(ca_file: str, check_hostname: bool, _changed: int, client_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # CERT_REQUIRED and check_hostname from the start
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_hostname
    context.set_ecdh_curve("prime256v1")  # PostgreSQL's own curve: another first costs a HelloRetryRequest
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise HostError(f"the CA file {ca_file} cannot be used: {error}", _CA_FILE) from None
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if client_pem:
        _load_client(context, client_pem)
    return context


def _load_client(context: ssl.SSLContext, client_pem: str) -> None:
    fd = os.memfd_create("client", os.MFD_CLOEXEC)  # the ssl module reads certificates from files only
    try:
        os.write(fd, client_pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    except ssl.SSLError as error:
        raise HostError(f"the client certificate cannot be used: {error.reason}", _CLIENT) from None
    finally:
        os.close(fd)


def _mtime(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError as error:
        raise HostError(f"the CA file {path} cannot be read: {error.strerror}", _CA_FILE) from None


def end_point_binding(certificate_der: bytes) -> bytes:
    """`tls-server-end-point` channel binding data of a server certificate (RFC 5929 section 4.1).

    Empty where it is undefined: signature algorithms without one hash of their own, such as Ed25519.
    """
    try:
        algorithm = x509.load_der_x509_certificate(certificate_der).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return b""
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate_der).digest()
