"""COM_CHANGE_USER: the session begins anew, as the user that it has, in the database that is asked for.

Where a credential is held, who logs in to the server is not the client's to say, and what it proves is taken as at
login. So the server is logged in to once more with that credential, which resets the session as it does for any
client. Without one the client's new login would have to be relayed in the midst of a session: it is refused.

Source: MySQL "COM_CHANGE_USER", "Protocol::AuthSwitchRequest"; MariaDB "COM_CHANGE_USER".
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.errors import PeerError
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.auth import native
from hostagent.protocols.mysql.client_auth import welcome
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.login import Held
from hostagent.protocols.mysql.packets import EOF, ERR, MORE_DATA, OK, as_lenenc_bytes, fixed, nul_bytes, packet
from hostagent.protocols.mysql.results import read_err

COMMAND = 0x11
MAX_ROUNDS = 16  # packets of the server, as at login


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asks for. `rest`: its attributes, as they came."""

    user: bytes
    proof: bytes
    database: bytes
    charset: bytes
    plugin: str
    rest: bytes

    @classmethod
    def read(cls, body: bytes, flags: int, plugin: str) -> Request:
        """From the command's bytes behind its number; what is left out is as at login. Raises PeerError."""
        user, pos = nul_bytes(body, 0)
        size, pos = fixed(body, pos, 1)
        proof, pos = body[pos : pos + size], pos + size
        database, pos = nul_bytes(body, pos)
        charset, pos = body[pos : pos + 2], pos + 2
        if flags & can.PLUGIN_AUTH and pos < len(body):
            name, pos = nul_bytes(body, pos)
            plugin = name.decode("ascii", "replace")
        return cls(user, proof, database, charset, plugin, body[pos:])


class Relogin:
    """How the server is logged in to once more: what is kept of the first login."""

    def __init__(self, held: Held, greeting: Greeting, answer: Answer, flags: int) -> None:
        """`flags` are those that the server was logged in to with, `answer` was the client's."""
        self._held = held
        self._greeting = greeting
        self._answer = answer
        self._flags = flags
        self._rounds = 0
        self._welcome: bytes | None = None

    def read(self, body: bytes) -> Request | None:
        """What the client asks for; None where it would have to be asked for another proof. Raises PeerError."""
        request = Request.read(body, self._answer.flags, self._answer.plugin)
        self._welcome, switches = welcome(request.plugin, request.proof, native.NAME, b"")
        return None if switches else request

    def begin(self, request: Request) -> bytes:
        """The packet for the server. Raises Refused."""
        self._rounds = 0
        user, plugin, proof = self._held.first(self._greeting.plugin, self._greeting.scramble, self._answer)
        charset = request.charset if len(request.charset) == 2 else bytes((self._answer.charset, 0))
        parts = [bytes((COMMAND,)), user, b"\0", bytes((len(proof),)), proof, request.database, b"\0", charset]
        parts += [plugin.encode("ascii"), b"\0"]
        if self._flags & can.CONNECT_ATTRS:
            parts.append(request.rest or as_lenenc_bytes(b""))
        return packet(0, b"".join(parts))

    def take(self, sequence: int, payload: bytes) -> bytes | None:
        """The server's next packet: what it is answered, or None where it was the last. Raises Refused or PeerError."""
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise PeerError("a login to the server that does not end")
        answer = None
        if payload[0] == EOF and len(payload) > 1:
            name, pos = nul_bytes(payload, 1)
            answer = self._held.switched(name.decode("ascii", "replace"), payload[pos:]).to_upstream
        elif payload[0] == MORE_DATA:
            answer = self._held.more(payload[1:]).to_upstream
        elif payload[0] == ERR:
            if (refused := self._held.failed(read_err(payload)[0])) is not None:
                raise refused
            return None
        elif payload[0] == OK:
            return None
        else:
            raise PeerError("an unexpected packet from the server during the login")
        return b"" if answer is None else packet(sequence + 1, answer)

    def told(self, payload: bytes) -> bytes:
        """What the client is told at the end: the server's last word, behind what its plugin waits for."""
        if self._welcome is None or payload[0] == ERR:
            return packet(1, payload)
        return packet(1, self._welcome) + packet(2, payload)
