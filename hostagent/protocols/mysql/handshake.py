"""The packets of the opening: the server's greeting and the client's answer, read and written.

Source: MySQL "Protocol::HandshakeV10", "Protocol::HandshakeResponse41", "Protocol::SSLRequest".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hostagent.errors import PeerError
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.packets import as_lenenc_bytes, fixed, lenenc_bytes, nul_bytes

PROTOCOL_VERSION = 10
SCRAMBLE_SIZE = 20
SSL_REQUEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says first. `scramble` is what a login's proof is made of, without its final NUL."""

    version: str
    connection_id: int
    scramble: bytes
    flags: int
    charset: int
    status: int
    plugin: str

    @classmethod
    def read(cls, payload: bytes) -> Greeting:
        """From its payload. Raises PeerError."""
        protocol, pos = fixed(payload, 0, 1)
        if protocol != PROTOCOL_VERSION:
            raise PeerError(f"a greeting of protocol {protocol} from the server")
        version, pos = nul_bytes(payload, pos)
        connection_id, pos = fixed(payload, pos, 4)
        first = payload[pos : pos + 8]
        low, pos = fixed(payload, pos + 9, 2)
        charset, pos = fixed(payload, pos, 1)
        status, pos = fixed(payload, pos, 2)
        high, pos = fixed(payload, pos, 2)
        size, pos = fixed(payload, pos, 1)
        flags = low | high << 16
        pos += 10
        rest = payload[pos : pos + max(13, size - 8)]
        pos += len(rest)
        name = payload[pos:].rstrip(b"\0") if flags & can.PLUGIN_AUTH else b""
        scramble = (first + rest).removesuffix(b"\0")
        return cls(
            _ascii(version), connection_id, scramble, flags, charset, status, _ascii(name) or "mysql_native_password"
        )

    def encode(self) -> bytes:
        """Its payload, with a scramble of 20 bytes; MariaDB's own flags are all clear."""
        if len(self.scramble) != SCRAMBLE_SIZE:
            raise PeerError("a scramble of another length than 20 from the server")
        return b"".join((
            bytes((PROTOCOL_VERSION,)), self.version.encode("ascii"), b"\0",
            self.connection_id.to_bytes(4, "little"), self.scramble[:8], b"\0",
            (self.flags & 0xFFFF).to_bytes(2, "little"), bytes((self.charset,)), self.status.to_bytes(2, "little"),
            (self.flags >> 16).to_bytes(2, "little"), bytes((SCRAMBLE_SIZE + 1,)), bytes(10),
            self.scramble[8:], b"\0", self.plugin.encode("ascii"), b"\0",
        ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client answers to a greeting. `charset` is a collation's number; `attributes` are taken as they are."""

    flags: int
    max_packet: int
    charset: int
    user: bytes
    proof: bytes
    database: bytes
    plugin: str
    attributes: bytes

    @classmethod
    def read(cls, payload: bytes, offer: int) -> Answer:
        """From its payload; `offer` are the flags that the client was offered. Raises PeerError."""
        flags, pos = fixed(payload, 0, 4)
        if flags & can.COMPRESSION:
            raise PeerError("a client that compresses without having been offered it: turn its compression off")
        flags &= offer
        if flags & can.NEEDED_OF_CLIENT != can.NEEDED_OF_CLIENT:
            raise PeerError("a client of a protocol before 4.1")
        max_packet, pos = fixed(payload, pos, 4)
        charset, pos = fixed(payload, pos, 1)
        user, pos = nul_bytes(payload, pos + 23)
        if flags & can.PLUGIN_AUTH_LENENC:
            proof, pos = lenenc_bytes(payload, pos)
        else:
            size, pos = fixed(payload, pos, 1)
            proof, pos = payload[pos : pos + size], pos + size
        database, plugin, attributes = b"", "", b""
        if flags & can.CONNECT_WITH_DB and pos < len(payload):
            database, pos = _nul_or_end(payload, pos)
        if flags & can.PLUGIN_AUTH and pos < len(payload):
            name, pos = _nul_or_end(payload, pos)
            plugin = _ascii(name)
        if flags & can.CONNECT_ATTRS and pos < len(payload):
            attributes, pos = lenenc_bytes(payload, pos)
        return cls(flags, max_packet, charset, user, proof, database, plugin or "mysql_native_password", attributes)

    def encode(self) -> bytes:
        """Its payload."""
        parts = [self.ssl_request(), self.user, b"\0"]
        if self.flags & can.PLUGIN_AUTH_LENENC:
            parts.append(as_lenenc_bytes(self.proof))
        else:
            if len(self.proof) > 255:
                raise PeerError("a proof that the server cannot take")
            parts += (bytes((len(self.proof),)), self.proof)
        if self.flags & can.CONNECT_WITH_DB:
            parts += (self.database, b"\0")
        if self.flags & can.PLUGIN_AUTH:
            parts += (self.plugin.encode("ascii"), b"\0")
        if self.flags & can.CONNECT_ATTRS:
            parts.append(as_lenenc_bytes(self.attributes))
        return b"".join(parts)

    def ssl_request(self) -> bytes:
        """The payload of the SSLRequest that goes before it: its first 32 bytes."""
        return (
            self.flags.to_bytes(4, "little")
            + self.max_packet.to_bytes(4, "little")
            + bytes((self.charset,))
            + bytes(23)
        )

    def as_user(self, flags: int, user: bytes, proof: bytes, plugin: str) -> Answer:
        """The same client, logging in as another user."""
        return replace(self, flags=flags, user=user, proof=proof, plugin=plugin)


def _nul_or_end(payload: bytes, pos: int) -> tuple[bytes, int]:
    stop = payload.find(b"\0", pos)
    return (payload[pos:], len(payload)) if stop < 0 else (payload[pos:stop], stop + 1)


def _ascii(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise PeerError("a name in a greeting or its answer that is not ASCII") from None
