"""The second lock: what a sealed session demands of a result's columns, whatever the rewrite has made of the statement.

A server that does what it was told answers with the columns that the statement names, with constants where redacted
columns stand, and with no column that comes from a masked one itself. Where it does not, the session ends.

Source: MySQL "Protocol::ColumnDefinition41". Of what a temporary table held, its server does not tell the origin, so
an origin that is not told proves nothing; the names and the constants hold all the same.
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.mysql.denial import DENIED, Refused
from hostagent.protocols.mysql.packets import lenenc, lenenc_bytes
from hostagent.sql.analysis import Name
from hostagent.sql.masking.values import Masks
from hostagent.values.decision import Ruling

MAX_KNOWN: Final = 4096  # definitions that are kept: those of a session's statements come again and again
_TAIL: Final = 12  # bytes behind the names: character set, length, type, flags, decimals
_TYPE: Final = 6  # of these
_SERVERS: Final = frozenset({b"information_schema", b"mysql", b"performance_schema", b"sys"})  # rules are about these

_INTEGERS: Final = frozenset({0x01, 0x02, 0x03, 0x08, 0x09, 0x0D})
_DECIMALS: Final = frozenset({0x00, 0xF6})
_STRINGS: Final = frozenset({0x0F, *range(0xF7, 0xFF)})
_DATES: Final = frozenset({0x0A, 0x0E})

MASKED: Final = "denied by policy: the server answered with a masked column"
OTHER: Final = "denied by policy: the server answered with other columns than the statement names"


class Definition:
    """One column of a result. `relation`: what it comes from as the result calls it, in lower case; `masked`: a mask in
    force covers that."""

    __slots__ = ("masked", "name", "relation", "type")

    def __init__(self, payload: bytes, masks: Masks | None) -> None:
        _, pos = lenenc_bytes(payload, 0)
        schema, pos = lenenc_bytes(payload, pos)
        _, pos = lenenc_bytes(payload, pos)
        table, pos = lenenc_bytes(payload, pos)
        name, pos = lenenc_bytes(payload, pos)
        origin, pos = lenenc_bytes(payload, pos)
        size, pos = lenenc(payload, pos)
        if size < _TAIL - 2 or pos + size > len(payload):
            raise PeerError("a column definition of another form from the server")
        self.type: Final[int] = payload[pos + _TYPE]
        self.name: Final[bytes] = name.lower()
        self.relation: Final[str] = table.decode("utf-8", "replace").lower()
        self.masked: Final[bool] = masks is not None and _covers(masks, schema, table, origin)


def _covers(masks: Masks, schema: bytes, table: bytes, column: bytes) -> bool:
    """Whether a mask covers that column. A server may fold the case of names, so both forms count."""
    if not schema or schema in _SERVERS:
        return False
    parts = [part.decode("utf-8", "replace") for part in (schema, table, column)]
    lower = [part.lower() for part in parts]
    return any(masks.of(Name(some[0], some[1]), some[2]) is not None for some in (parts, lower, [*parts[:2], lower[2]]))


class Definitions:
    """Definitions that were read, by their bytes: the next result of a statement has the same ones."""

    def __init__(self) -> None:
        self._known: dict[bytes, Definition] = {}
        self._masks: Masks | None = None

    def read(self, payload: bytes, masks: Masks | None) -> Definition:
        """The definition with that payload, under these masks. Raises PeerError."""
        if masks is not self._masks or len(self._known) >= MAX_KNOWN:
            self._known.clear()
            self._masks = masks
        known = self._known.get(payload)
        if known is None:
            known = self._known[payload] = Definition(payload, masks)
        return known


class Promise:
    """What one answer must look like. It holds for the first result: a promise is given for a single query only."""

    __slots__ = ("_at", "_constants", "_derived", "_shape")

    def __init__(self, ruling: Ruling) -> None:
        self._shape: tuple[str | None, ...] | None = ruling.shape
        self._constants: tuple[str | None, ...] = ruling.constants
        self._derived: Final[tuple[str, ...]] = ruling.derived
        self._at = 0

    def begin(self, count: int) -> None:
        """A result of so many columns begins. Raises Refused."""
        if self._shape is not None and len(self._shape) != count:
            raise Refused(DENIED, OTHER)
        self._at = 0

    def column(self, definition: Definition) -> None:
        """Its next column. Raises Refused."""
        if definition.masked and definition.relation not in self._derived:
            raise Refused(DENIED, MASKED)
        if self._shape is None:
            return
        name = self._shape[self._at]
        if name is not None and name.encode() != definition.name:
            raise Refused(DENIED, OTHER)
        constant = self._constants[self._at] if self._constants else None
        if constant and definition.type not in _types(constant):
            raise Refused(DENIED, MASKED)
        self._at += 1

    def constants(self) -> tuple[bytes | None, ...]:
        """What each column shows, or nothing where that is not known of any."""
        if not any(constant is not None for constant in self._constants):
            return ()
        return tuple(None if constant is None else constant.encode() for constant in self._constants)

    def ended(self) -> None:
        """A further result has no promise but that it shows no masked column."""
        self._shape, self._constants = None, ()


def _types(constant: str) -> frozenset[int]:
    """The types that such a constant has."""
    if constant[0] == "*":
        return _STRINGS
    return _DATES if "-" in constant else _INTEGERS | _DECIMALS
