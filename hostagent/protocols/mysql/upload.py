"""LOAD DATA LOCAL: the one file that a server may ask its client for, and the content that follows.

A server can ask for any file in answer to any query; that is refused. It may ask once, in answer to a text that begins
with LOAD DATA LOCAL (or XML) and was decided on as such, and for the very name that stands in it. The content passes in
packets up to an empty one; of it a size and a hash are kept, and no byte.

Source: MySQL "LOCAL INFILE Request", "LOCAL INFILE Data".
"""

from __future__ import annotations

import hashlib
from typing import Final

from hostagent.protocols.mysql.packets import HEADER_SIZE, length_at
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.tokens import Type, Unread
from hostagent.values.mysql import MysqlSettings

_LONGEST_HEAD: Final = 7  # tokens up to the name: LOAD DATA CONCURRENT LOCAL INFILE 'name'
_PRIORITIES: Final = ("low_priority", "concurrent")


def asked_for(text: str, settings: MysqlSettings) -> str | None:
    """The name of the client's file in a LOAD statement that a text begins with; None for any other text."""
    if text.lstrip()[:4].lower() != "load":
        return None
    try:
        tokens = lex(text, reading(settings))[:_LONGEST_HEAD]
    except Unread:
        return None
    words = [token for token in tokens if token.type is not Type.WORD or token.value not in _PRIORITIES]
    if len(words) < 5 or words[1].value not in ("data", "xml") or words[4].type is not Type.STRING:
        return None
    return words[4].value if [words[2].value, words[3].value] == ["local", "infile"] else None


class Upload:
    """The content of one file, on its way from the client to the server."""

    __slots__ = ("_hash", "_left", "done", "name", "size")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.size = 0
        self.done = False
        self._hash = hashlib.sha256()
        self._left = 0

    def take(self, data: bytes, pos: int) -> int:
        """Read what is there from `pos` on; gives where it stopped: at the end, within a header, or behind it all."""
        end = len(data)
        while not self.done:
            step = min(self._left, end - pos)
            self._hash.update(data[pos : pos + step])
            self.size += step
            self._left -= step
            pos += step
            if self._left or end - pos < HEADER_SIZE:
                break
            self._left = length_at(data, pos)
            self.done = not self._left
            pos += HEADER_SIZE
        return pos

    @property
    def between(self) -> bool:
        """Whether a header comes next."""
        return not self._left

    def told(self) -> str:
        """What a recording says of it."""
        name = self.name.replace("\n", " ")[:200]
        return f"-- the client's file {name}: {self.size} bytes, SHA-256 {self._hash.hexdigest()}"
