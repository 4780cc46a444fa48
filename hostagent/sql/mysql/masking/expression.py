"""The SQL of a mask: a column and its mask → an expression of the column's kind of type.

No backslash, double quote or `||` is in any of them, so they mean the same under every sql_mode. A mask that does not
fit a type becomes REDACT, and a type that has no constant that always fits becomes NULL.
"""

from __future__ import annotations

from hostagent.sql.masking.values import Mask, MaskKind
from hostagent.sql.mysql.masking.catalog import Column

_BLOCK = 64  # bytes of a block of SHA-256 (RFC 2104)

_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_LABELS = frozenset({"enum", "set"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_CONSTANTS = {
    "bit": "b'0'",
    "date": "CAST('1970-01-01' AS DATE)",
    "datetime": "CAST('1970-01-01 00:00:00' AS DATETIME)",
    "double": "0e0",
    "float": "0e0",
    "json": "CAST('null' AS JSON)",
    "time": "CAST('00:00:00' AS TIME)",
    "timestamp": "CAST('1970-01-01 00:00:00' AS DATETIME)",
    "year": "1970",
}
_SHOWN = {
    "CAST('***' AS CHAR)": "***",
    "CAST('' AS BINARY)": "",
    "CAST(0 AS UNSIGNED)": "0",
    "0": "0",
    "1970": "1970",
    "CAST('1970-01-01' AS DATE)": "1970-01-01",
}


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def masked(column: Column, mask: Mask, key: bytes) -> str:
    """The expression in the place of a column."""
    of = quoted(column.name)
    if mask.kind is MaskKind.NULL:
        return "NULL"
    if mask.kind is MaskKind.HASH:
        made = _hashed(column, of, key)
    elif mask.kind is MaskKind.PARTIAL:
        made = _partial(of, mask.first, mask.last) if column.type in _TEXTS else ""
    elif mask.kind is MaskKind.FORMAT:
        made = _format(of) if column.type in _TEXTS else ""
    else:
        made = ""
    return made or redacted(column)


def constant(column: Column, mask: Mask, key: bytes) -> str | None:
    """What the masked column shows as text where it is not NULL, if that is always the same; empty for NULL."""
    made = masked(column, mask, key)
    if made == "NULL":
        return ""
    if made != redacted(column):
        return None
    if column.type == "decimal":
        return f"{0:.{column.scale}f}"
    return _SHOWN.get(made)


def redacted(column: Column) -> str:
    """A constant of the column's kind of type."""
    if column.type in _TEXTS or column.type in _LABELS:
        return "CAST('***' AS CHAR)"
    if column.type in _BYTES:
        return "CAST('' AS BINARY)"
    if column.type in _INTEGERS:
        return "CAST(0 AS UNSIGNED)" if "unsigned" in column.full else "0"
    if column.type == "decimal":
        return f"CAST(0 AS DECIMAL({column.precision}, {column.scale}))"
    return _CONSTANTS.get(column.type, "NULL")


def _hashed(column: Column, of: str, key: bytes) -> str:
    """HMAC-SHA256, keyed; integers keep as many bits of it as fit."""
    inner = bytes(b ^ 0x36 for b in key.ljust(_BLOCK, b"\0")).hex()
    outer = bytes(b ^ 0x5C for b in key.ljust(_BLOCK, b"\0")).hex()
    if column.type not in _TEXTS | _INTEGERS:
        return ""
    value = f"CAST(CONVERT({of} USING utf8mb4) AS BINARY)"
    digest = f"SHA2(CONCAT(x'{outer}', UNHEX(SHA2(CONCAT(x'{inner}', {value}), 256))), 256)"
    if column.type in _TEXTS:
        return digest
    digits = 15 if column.type == "bigint" else 7
    return f"CAST(CONV(LEFT({digest}, {digits}), 16, 10) AS SIGNED)"


def _partial(of: str, first: int, last: int) -> str:
    """The first and last characters, stars between them; a value that is not longer than these is all stars."""
    length = f"CHAR_LENGTH({of})"
    shown = f"CONCAT(LEFT({of}, {first}), REPEAT('*', {length} - {first + last}), RIGHT({of}, {last}))"
    return (
        f"CASE WHEN {length} <= {first + last} THEN REPEAT('*', {length}) WHEN {of} IS NOT NULL THEN {shown} END"
    )  # fmt: skip


def _format(of: str) -> str:
    """Digits as 0, letters as X or x, whatever is not ASCII as x; what separates them stays."""
    made = of
    for pattern, shown in (("[0-9]", "0"), ("[a-z]", "x"), ("[A-Z]", "X"), ("[^ -~]", "x")):
        made = f"REGEXP_REPLACE({made}, '(?-i){pattern}', '{shown}')"
    return made
