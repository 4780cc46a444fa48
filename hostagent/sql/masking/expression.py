"""The SQL of a mask: a column and its mask → an expression of the column's type, all of it pg_catalog's.

A mask that does not fit a type becomes REDACT, and a type that has no constant that always fits becomes NULL: what is
shown is never more than the mask says. The type is kept, so that what is built on the column means the same.
"""

from __future__ import annotations

import hmac
import string

from hostagent.sql.masking.catalog import Column
from hostagent.sql.masking.text import literal, quoted
from hostagent.sql.masking.values import KEY_BYTES, Mask, MaskKind

_BLOCK = 64  # bytes of a block of SHA-256 (RFC 2104)

_TEXTS = frozenset({"pg_catalog.text", 'pg_catalog."varchar"', "pg_catalog.bpchar"})
_CONSTANTS = {
    'pg_catalog."numeric"': "0",
    "pg_catalog.bool": "false",
    "pg_catalog.box": "((0,0),(0,0))",
    "pg_catalog.bytea": r"\x",
    "pg_catalog.cidr": "0.0.0.0/0",
    "pg_catalog.date": "1970-01-01",
    "pg_catalog.float4": "0",
    "pg_catalog.float8": "0",
    "pg_catalog.inet": "0.0.0.0",  # noqa: S104
    'pg_catalog."interval"': "0",
    "pg_catalog.int2": "0",
    "pg_catalog.int4": "0",
    "pg_catalog.int8": "0",
    "pg_catalog.json": '"***"',
    "pg_catalog.jsonb": '"***"',
    "pg_catalog.macaddr": "00:00:00:00:00:00",
    "pg_catalog.macaddr8": "00:00:00:00:00:00:00:00",
    "pg_catalog.money": "0",
    "pg_catalog.name": "***",
    "pg_catalog.oid": "0",
    "pg_catalog.point": "(0,0)",
    'pg_catalog."time"': "00:00:00",
    'pg_catalog."timestamp"': "1970-01-01 00:00:00",
    "pg_catalog.timestamptz": "1970-01-01 00:00:00+00",
    "pg_catalog.timetz": "00:00:00+00",
    "pg_catalog.tsvector": "",
    "pg_catalog.uuid": "00000000-0000-0000-0000-000000000000",
    "pg_catalog.xml": "<masked/>",
}
_HASHED_TEXT = _TEXTS | {"pg_catalog.name", "pg_catalog.uuid", "pg_catalog.int4", "pg_catalog.int8"}


def derive_key(host_key: bytes, target: str) -> bytes:
    """The key of a target: HMAC-SHA256 of its name under the host's key. Raises ValueError unless it has KEY_BYTES."""
    if len(host_key) != KEY_BYTES:
        raise ValueError(f"a masking key has {KEY_BYTES} bytes")
    return hmac.digest(host_key, b"hostagent masking key\0" + target.encode(), "sha256")


def masked(column: Column, mask: Mask | None, key: bytes) -> str:
    """The expression in the place of a column; without a mask it is redacted."""
    made = _made(column, mask, key) if mask is not None else None
    if made is None:
        made = redacted(column)
    collated = f" COLLATE {column.collation}" if column.collation else ""
    return f"({made}){collated}" if collated else made


def redacted(column: Column) -> str:
    """A constant of the column's type."""
    if column.bare in _TEXTS or column.bare.endswith(".citext"):
        return f"CAST('***' AS {column.type})"
    if column.bare in _CONSTANTS:
        return f"CAST({literal(_CONSTANTS[column.bare])} AS {column.type})"
    if column.category == "A":
        return f"CAST('{{}}' AS {column.type})"
    if column.category == "E":
        return f"pg_catalog.enum_first(CAST(NULL AS {column.type}))"
    return f"CAST(NULL AS {column.type})"


def _made(column: Column, mask: Mask, key: bytes) -> str | None:
    match mask.kind:
        case MaskKind.REDACT:
            return redacted(column)
        case MaskKind.NULL:
            return f"CAST(NULL AS {column.type})"
        case MaskKind.HASH:
            return _hash(column, key)
        case MaskKind.PARTIAL:
            return _partial(column, mask.first, mask.last)
        case MaskKind.FORMAT:
            return _format(column)


def _text(column: Column) -> str:
    return f"CAST({quoted(column.name)} AS pg_catalog.text)"


def _is_text(column: Column) -> bool:
    return column.bare in _TEXTS or column.bare.endswith(".citext")


def _hash(column: Column, key: bytes) -> str | None:
    """Keyed HMAC-SHA256 (RFC 2104) of the value's text; equal values give equal results, also in other columns."""
    if column.bare == "pg_catalog.bytea":
        return _hmac(quoted(column.name), key)
    if column.bare == 'pg_catalog."numeric"':  # 1.0 and 1.00 are equal
        value = f"CAST(pg_catalog.trim_scale({quoted(column.name)}) AS pg_catalog.text)"
    elif column.bare.endswith(".citext"):
        value = f"pg_catalog.lower({_text(column)})"
    elif column.bare in _HASHED_TEXT:
        value = _text(column)
    else:
        return None
    bytes_ = f"pg_catalog.convert_to({value}, 'UTF8')"
    digits = f"pg_catalog.encode({_hmac(bytes_, key)}, 'hex')"
    if _is_text(column) or column.bare == "pg_catalog.name":
        return f"CAST({digits} AS {column.bare})"  # without its length: a shorter hash is no hash
    if column.bare == "pg_catalog.uuid":
        return f'CAST(pg_catalog."left"({digits}, 32) AS pg_catalog.uuid)'
    bits = 32 if column.bare == "pg_catalog.int4" else 64
    number = f"""CAST(pg_catalog.concat('x', pg_catalog."left"({digits}, {bits // 4})) AS pg_catalog."bit"({bits}))"""
    if bits == 32:
        return f"CAST({number} AS pg_catalog.int4)"
    return f"CAST(CAST({number} AS pg_catalog.int8) AS {column.bare})"


def _hmac(value: str, key: bytes) -> str:
    block = key.ljust(_BLOCK, b"\0")
    inner, outer = (_bytes(bytes(b ^ pad for b in block)) for pad in (0x36, 0x5C))
    return f"pg_catalog.sha256(pg_catalog.byteacat({outer}, pg_catalog.sha256(pg_catalog.byteacat({inner}, {value}))))"


def _bytes(value: bytes) -> str:
    return rf"CAST('\x{value.hex()}' AS pg_catalog.bytea)"


def _partial(column: Column, first: int, last: int) -> str | None:
    """The first and last characters, stars between them; a value that is not longer than these is all stars."""
    if not _is_text(column):
        return None
    text = _text(column)
    length = f"pg_catalog.char_length({text})"
    hidden = f"{length} OPERATOR(pg_catalog.-) {first + last}"
    return (
        f"CAST(CASE WHEN {length} OPERATOR(pg_catalog.<=) {first + last} THEN pg_catalog.repeat('*', {length})"
        f' WHEN {length} IS NOT NULL THEN pg_catalog.concat(pg_catalog."left"({text}, {first}),'
        f""" pg_catalog.repeat('*', {hidden}), pg_catalog."right"({text}, {last})) END AS {column.type})"""
    )


def _format(column: Column) -> str | None:
    """Digits as 0, letters as X or x, whatever is not ASCII as x; what separates them stays."""
    if not _is_text(column):
        return None
    shown = "0" * 10 + "X" * 26 + "x" * 26
    letters = string.digits + string.ascii_uppercase + string.ascii_lowercase
    plain = f"pg_catalog.translate({_text(column)}, '{letters}', '{shown}')"
    return rf"CAST(pg_catalog.regexp_replace({plain}, '[^\x01-\x7f]', 'x', 'g') AS {column.type})"
