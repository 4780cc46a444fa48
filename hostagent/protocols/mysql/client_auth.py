"""How a client is let in where we hold the credential: the kernel has said who it is, so whatever it proves is taken.

A client computes its proof with a scramble of ours; nobody looks at it, and it is never kept. Clients that insist on a
plugin of which nothing is known are asked to switch to the one of the greeting.
"""

from __future__ import annotations

from hostagent.protocols.mysql.auth import clear, ed25519, native, sha2
from hostagent.protocols.mysql.handshake import SCRAMBLE_SIZE
from hostagent.protocols.mysql.packets import EOF, MORE_DATA

_TAKEN = frozenset({native.NAME, ed25519.NAME, clear.NAME})
_DOLLAR = 0x24  # servers avoid it in scrambles, as a separator of stored proofs


def offered_plugin(server: str) -> str:
    """The plugin of our greeting: the server's own, where clients get along with any scramble of ours."""
    return server if server in (native.NAME, sha2.CACHING) else native.NAME


def own_scramble(random: bytes) -> bytes:
    """20 random bytes as a scramble: ASCII, none of them NUL."""
    return bytes(byte & 0x7F if byte & 0x7F not in (0, _DOLLAR) else 1 for byte in random[:SCRAMBLE_SIZE])


def welcome(plugin: str, proof: bytes, offered: str, scramble: bytes) -> tuple[bytes | None, bool]:
    """What the client is sent before its OK, and whether it will answer that first."""
    if plugin in _TAKEN:
        return None, False
    if plugin == sha2.CACHING:
        return (None if proof in (b"", b"\0") else bytes((MORE_DATA,)) + sha2.FAST_OK), False
    return bytes((EOF,)) + offered.encode("ascii") + b"\0" + scramble + b"\0", True
