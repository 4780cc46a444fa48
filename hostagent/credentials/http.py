"""One HTTP question to one server that the policy names, over verified TLS, with one deadline for all of it.

h11 over asyncio's streams, and not http.client in a thread: a thread cannot be taken back when a server drips its
answer, a task can, so the deadline is exact and a bad server holds nothing of the daemon. No proxy of the environment
is asked, and no redirect is followed: a token goes to the address in the policy or nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_ANSWER = 1 << 20  # bytes of an answer's body: a secret has some hundred
MAX_HEADERS = 32 << 10
_PORTS = {"https": 443, "http": 80}


class HttpError(Exception):
    """No usable answer came; the text says why, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """`address`: https://HOST[:PORT], or http://; `ca_file` None is the system's trust store."""

    address: str
    ca_file: str | None
    timeout: float

    async def ask(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
        """The answer to one question on a connection of its own. Raises HttpError."""
        parts = urlsplit(self.address)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        given = [("Host", parts.netloc), ("Connection", "close"), ("Content-Length", str(len(body))), *headers]
        try:
            request = h11.Request(method=method, target=path, headers=given)
            async with asyncio.timeout(self.timeout):
                context = await asyncio.to_thread(self._context) if parts.scheme == "https" else None
                reader, writer = await asyncio.open_connection(host, port, ssl=context)
                try:
                    return await _converse(reader, writer, request, body)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise HttpError(f"no answer within {self.timeout:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise HttpError(f"its certificate could not be verified: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise HttpError(f"TLS failed: {error.reason or error}") from None
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise HttpError(f"it cannot be reached: {why or error}") from None
        except h11.RemoteProtocolError as error:
            raise HttpError(f"it does not speak HTTP/1.1: {error}") from None
        except h11.LocalProtocolError:  # its text could quote what was to be sent
            raise HttpError("the question cannot be put into HTTP/1.1") from None

    def _context(self) -> ssl.SSLContext:
        """Made anew for each question, which are minutes apart: a replaced CA file is seen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            return context
        try:
            context.load_verify_locations(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise HttpError(f"its ca_file {self.ca_file} cannot be used: {error.strerror or error}") from None
        return context


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
    for event in (request, h11.Data(data=body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()
    status, answered = 0, bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(65_536))
            case h11.Response() as response:
                status = response.status_code
            case h11.Data(data=data):
                answered += data
                if len(answered) > MAX_ANSWER:
                    raise HttpError(f"its answer is longer than {MAX_ANSWER} bytes")
            case h11.EndOfMessage():
                return Answer(status, bytes(answered))
            case h11.ConnectionClosed() | h11.PAUSED:
                raise HttpError("it ended the connection without an answer")
