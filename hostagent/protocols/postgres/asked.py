"""A client message about which a question is out, and the denials that need no question."""

from __future__ import annotations

from typing import Final

from hostagent.protocols.base import Phase, Request
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.denial import Denial
from hostagent.protocols.postgres.queue import Statement

MAX_NAME: Final = 63  # bytes of a name: NAMEDATALEN - 1; longer ones the server cuts, and two would become one

NAME_TOO_LONG: Final = Denial("42622", f"a statement or portal name of more than {MAX_NAME} bytes is refused")
TOO_MANY: Final = Denial("54000", "too many prepared statements or portals in this session", hint="Close some of them.")
OUTDATED: Final = Denial(
    "0A000",
    "a prepared statement was masked by another policy or another catalog than those of now",
    hint="Prepare it again.",
)
UNMASKED: Final = Denial("0A000", "masks came into force while this statement was decided", hint="Send it again.")
NOT_ENCODABLE: Final = Denial("22P05", "the masked statement cannot be written in the session's client_encoding")
TOO_EARLY: Final = Denial(
    "0A000",
    "a statement cannot be pipelined behind one that may change how it is read",
    hint="Send Sync, and wait for its answer, after SET of client_encoding or standard_conforming_strings.",
)


class Asked:
    """A message whose decision is awaited. It still stands in the inbox; `total` is its whole length.

    `name`: of the statement for Parse, of the portal for Bind. `statement`: what Parse will make, or Bind uses.
    """

    __slots__ = ("kind", "name", "request", "statement", "total")

    def __init__(self, kind: int, total: int, request: Request, name: bytes, statement: Statement | None) -> None:
        self.kind = kind
        self.total = total
        self.request = request
        self.name = name
        self.statement = statement


def unasked(kind: int, total: int, name: bytes = b"") -> Asked:
    """A message that is denied without a question."""
    return Asked(kind, total, Request(0, Phase.EXECUTE, ""), name, None)


def with_text(message: bytes, text: str, codec: str) -> bytes:
    """The same Query or Parse message with another text."""
    return with_raw(message, text.replace("\0", "").encode(codec, "replace"))


def with_raw(message: bytes, raw: bytes) -> bytes:
    """The same Query or Parse message with another text, encoded."""
    if message[0] == messages.QUERY:
        return messages.query(raw)
    name, _, types = messages.parse_body(message[messages.HEADER_SIZE :])
    return messages.parse(name, raw, types)
