"""Whom a worker shows itself as to SSH clients: a key of its own, made at the first SSH flow, and the CA's certificate.

Only the certificate is offered, never the plain key: so a key that a client has pinned for the host is not compared.
"""

from __future__ import annotations

import copy
import os
import time
from collections import OrderedDict
from typing import Any

import asyncssh

from hostagent.runtime.channel import Channel

ALGORITHM = "ecdsa-sha2-nistp256-cert-v01@openssh.com"
KEY_ALGORITHM = "ecdsa-sha2-nistp256"
RENEW_SECONDS = 3600.0  # a certificate is good for a day
VERSION = "hostagent"
VERSION_LINE = f"SSH-2.0-{VERSION}\r\n".encode()
FAST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # one call for a packet; asyncssh's others take several
CIPHERS = (*FAST, "chacha20-poly1305@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")

# asyncssh asks for the user's name and home, which a worker's user may not have; it finds no files of either here
os.environ |= {"LOGNAME": "hostagent", "HOME": "/nonexistent"}


asyncssh.set_log_level("CRITICAL")  # it logs commands and names; what there is to say, events say


class Identity:
    """The worker's host key and certificate, and what every server side is set to."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._key = asyncssh.generate_private_key(KEY_ALGORITHM)
        self.user_key = asyncssh.generate_private_key(KEY_ALGORITHM)  # what user certificates are made for
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        self._made = 0.0

    @property
    def user_public_key(self) -> str:
        """`ecdsa-sha2-nistp256 AAAA…`, of the key that user certificates are made for."""
        return self.user_key.export_public_key().decode().strip()

    async def server_options(self) -> asyncssh.SSHServerConnectionOptions:
        """Options for one connection, whose `protocol_factory` is still to be set. Raises ChannelError."""
        if self._options is None or time.monotonic() - self._made > RENEW_SECONDS:
            public = self._key.export_public_key().decode().strip()
            answer = await self._channel.call("ssh.host_certificate", {"public_key": public})
            self._options = _server_options(self._key, answer["certificate"])
            self._made = time.monotonic()
        return copy.copy(self._options)


def _server_options(key: asyncssh.SSHKey, certificate: str) -> asyncssh.SSHServerConnectionOptions:
    pairs = asyncssh.load_keypairs([(key, asyncssh.import_certificate(certificate))])
    options = asyncssh.SSHServerConnectionOptions(
        server_version=VERSION, server_host_keys=list(pairs), gss_host=None, gss_kex=False, gss_auth=False,
        encryption_algs=CIPHERS, compression_algs=["none"], encoding=None, line_editor=False,
        x11_forwarding=False, agent_forwarding=False, login_timeout=60,
    )  # fmt: skip
    certified: Any = OrderedDict((alg, pair) for pair in pairs if pair.has_cert for alg in pair.host_key_algorithms)
    options.server_host_keys = certified
    return options
