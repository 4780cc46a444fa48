"""The TLS context that shows a leaf to a client, and what clients bind to of it."""

from __future__ import annotations

import os
import ssl

_END = "-----END CERTIFICATE-----"


def leaf_der(chain_pem: str) -> bytes:
    """The leaf of a chain, DER: what channel binding is computed over."""
    return ssl.PEM_cert_to_DER_cert(chain_pem[: chain_pem.index(_END) + len(_END)])


def server_context(chain_pem: str, key_pem: str) -> ssl.SSLContext:
    """A server-side context with this leaf. Raises ssl.SSLError when the PEM texts do not fit together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # a client that comes again is a new flow; tickets would cost two more writes
    context.set_alpn_protocols(["postgresql"])
    fd = os.memfd_create("leaf", os.MFD_CLOEXEC)  # the ssl module reads certificates from files only
    try:
        os.write(fd, (key_pem + chain_pem).encode())
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
    return context
