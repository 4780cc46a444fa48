"""Target: a configured destination, as a session and the upstream leg need it (policy files are its source)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UpstreamTls(StrEnum):
    """How the upstream leg is protected. There is no mode that encrypts without verifying."""

    VERIFY_FULL = "verify-full"  # chain and name
    VERIFY_CA = "verify-ca"  # chain; for servers whose certificate names another host
    OFF = "off"  # plaintext, said in the file


class ClientAuth(StrEnum):
    """What a client has to show. Who it is, the kernel says either way."""

    TRUST = "trust"  # nothing: it is let in at once
    SCRAM = "scram"  # a placeholder password, for clients that insist on being asked for one


@dataclass(frozen=True, slots=True)
class Target:
    """One configured destination. `ca_file` empty means the system's trust store.

    `server_name` is the name that the upstream certificate must carry; empty means the destination address. What the
    client asked for (SNI) is never taken: it would let the client choose whom its target's credential goes to.
    `credential` names a credential, or is empty where the client's own authentication is relayed. `login`: something of
    ours is needed to log in or to let clients in (a credential, a client certificate, a placeholder).
    """

    name: str
    protocol: str
    tls: UpstreamTls
    ca_file: str = ""
    server_name: str = ""
    credential: str = ""
    login: bool = False
