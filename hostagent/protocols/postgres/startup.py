"""What a client sends before it has logged in: untyped packets of a 32-bit length, a 32-bit code and a body.

Source: PostgreSQL documentation, "Message Formats": SSLRequest, GSSENCRequest, CancelRequest, StartupMessage; protocol
3.2 (PostgreSQL 18) differs in longer cancel keys. A packet is read whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.errors import PeerError
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.denial import Refused
from hostagent.protocols.postgres.settings import refuse_unsafe

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
PROTOCOL_3_0, PROTOCOL_3_2 = 0x0003_0000, 0x0003_0002
MAX_PACKET = 10_000  # as PostgreSQL's MAX_STARTUP_PACKET_LENGTH
MIN_KEY, MAX_KEY = 4, 256  # bytes of a cancel key without its process id: 4 in 3.0, up to 256 in 3.2
_FALSE = frozenset({"off", "false", "f", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class Packet:
    """One untyped packet."""

    code: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Startup:
    """A StartupMessage: the protocol version and its parameters in the order they came."""

    version: int
    parameters: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The last value of a parameter (that is the one the server uses), or empty."""
        return next((value for key, value in reversed(self.parameters) if key == name), "")

    def with_user(self, user: str) -> Startup:
        """The same for another user. Without a database name the server would take the new user's: say the old one."""
        rest = tuple((k, v) for k, v in self.parameters if k not in ("user", "database"))
        return Startup(self.version, (("user", user), ("database", self.get("database") or self.get("user")), *rest))

    def encode(self) -> bytes:
        """The packet."""
        body = b"".join(f"{k}\0{v}\0".encode("utf-8", "surrogateescape") for k, v in self.parameters)
        return messages.untyped(self.version, body + b"\0")


def read_packet(inbox: Inbox) -> Packet | None:
    """The next packet, or None when it is not whole yet."""
    inbox.need = 8
    if not inbox.ready():
        return None
    length = int.from_bytes(inbox.data[inbox.pos : inbox.pos + 4], "big")
    if not 8 <= length <= MAX_PACKET:
        raise PeerError("a startup packet of impossible length")
    inbox.need = length
    if not inbox.ready():
        return None
    packet = inbox.data[inbox.pos : inbox.pos + length]
    inbox.pos += length
    inbox.need = 1
    return Packet(int.from_bytes(packet[4:8], "big"), packet[8:])


def parse_startup(packet: Packet) -> Startup:
    """The startup message in a packet that is none of the requests. Raises `Refused` for what we do not let through."""
    if packet.code not in (PROTOCOL_3_0, PROTOCOL_3_2):
        major, minor = packet.code >> 16, packet.code & 0xFFFF
        raise Refused("0A000", f"protocol version {major}.{minor} is refused: only 3.0 and 3.2 are understood")
    fields = packet.body.split(b"\0")
    if len(fields) < 2 or fields[-1] or fields[-2] or len(fields) % 2:
        raise PeerError("a malformed startup message")
    texts = [field.decode("utf-8", "surrogateescape") for field in fields[:-2]]
    parameters = tuple(zip(texts[::2], texts[1::2], strict=True))
    if any(not name for name, _ in parameters):
        raise PeerError("a startup message with a nameless parameter")
    startup = Startup(packet.code, parameters)
    for name, value in parameters:
        _refuse_parameter(name, value)
    if not startup.get("user"):
        raise Refused("28000", "no user name in the startup message")
    return startup


def parse_cancel(packet: Packet) -> bytes:
    """Process id and key of a CancelRequest, as they were issued."""
    if not 4 + MIN_KEY <= len(packet.body) <= 4 + MAX_KEY:
        raise PeerError("a cancel request of impossible length")
    return packet.body


def _refuse_parameter(name: str, value: str) -> None:
    lowered = name.lower()
    if lowered == "replication" and value.lower() not in _FALSE:
        raise Refused("0A000", "replication connections are refused: their contents cannot be decided on")
    if lowered.startswith("_pq_."):
        raise Refused("0A000", f'protocol option "{name[:64]}" is refused: it is not understood')
    refuse_unsafe(lowered, value)
    if lowered == "options":
        for option, setting in _options(value):
            refuse_unsafe(option, setting)


def _options(text: str) -> list[tuple[str, str]]:
    """The settings in an `options` parameter: `-c name=value`, `-cname=value`, `--name=value` (pg_split_opts)."""
    words = _split(text)
    settings: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            setting = word[2:]
        elif word.startswith("-c"):
            setting = word[2:] or (words.pop(0) if words else "")
        else:
            raise Refused("0A000", f'startup option "{word[:64]}" is refused: only -c name=value is understood')
        name, _, value = setting.partition("=")
        settings.append((name.strip().lower().replace("-", "_"), value))
    return settings


def _split(text: str) -> list[str]:
    words: list[str] = []
    word: str | None = None
    escaped = False
    for c in text:
        if escaped:
            word, escaped = (word or "") + c, False
        elif c == "\\":
            word, escaped = word or "", True
        elif c in " \t\n\r\v\f":
            words += [word] if word is not None else []
            word = None
        else:
            word = (word or "") + c
    return words + ([word] if word is not None else [])
