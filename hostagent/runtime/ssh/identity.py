"""Whom a worker shows itself as to SSH clients: a key of its own, made at the first SSH flow, and the CA's certificate.

Only the certificate is offered, never the plain key: so a key that a client has pinned for the host is not compared.
"""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from typing import Any

import asyncssh

from hostagent.protocols.ssh.greeting import Hello
from hostagent.runtime.channel import Channel

ALGORITHM = "ecdsa-sha2-nistp256-cert-v01@openssh.com"
KEY_ALGORITHM = "ecdsa-sha2-nistp256"
RENEW_SECONDS = 3600.0  # a certificate is good for a day
VERSION = "hostagent"
VERSION_LINE = f"SSH-2.0-{VERSION}\r\n".encode()
FAST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # one call for a packet; asyncssh's others take several
CIPHERS = (*FAST, "chacha20-poly1305@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")


asyncssh.set_log_level("CRITICAL")  # it logs commands and names; what there is to say, events say


class Identity:
    """The worker's host key and certificate, and what every server side is set to."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._key = asyncssh.generate_private_key(KEY_ALGORITHM)
        self.user_key = asyncssh.generate_private_key(KEY_ALGORITHM)  # what user certificates are made for
        self._options: dict[bool, asyncssh.SSHServerConnectionOptions] = {}  # by whether the certificate has a pattern
        self._made = 0.0

    @property
    def user_public_key(self) -> str:
        """`ecdsa-sha2-nistp256 AAAA…`, of the key that user certificates are made for."""
        return self.user_key.export_public_key().decode().strip()

    async def prepare(self) -> None:
        """Have certificates that are good for the connections of the next hour. Raises ChannelError."""
        if not self._options or time.monotonic() - self._made > RENEW_SECONDS:
            public = self._key.export_public_key().decode().strip()
            answer = await self._channel.call("ssh.host_certificate", {"public_key": public})
            self._options = {form == "pattern": _server_options(self._key, answer[form]) for form in answer}
            self._made = time.monotonic()

    def server_options(self, hello: Hello) -> asyncssh.SSHServerConnectionOptions:
        """Options for the connection of that client, whose `protocol_factory` is still to be set."""
        return copy.copy(self._options[hello.wants_pattern])


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
