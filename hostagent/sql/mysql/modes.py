"""SQL modes: what they change of how a text is read. A mode that is not known here makes every text unread."""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.sql.mysql.tokens import Unread
from hostagent.values.mysql import Flavor, MysqlSettings

# Bytes of a longer character are never ASCII in any of these: their texts are cut into tokens at the same places.
UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
# One byte is one character; hostagent reads texts as UTF-8, so only what is ASCII reads the same.
SINGLE_BYTE = frozenset(
    {
        "ascii",
        "latin1",
        "latin2",
        "latin5",
        "latin7",
        "cp1250",
        "cp1251",
        "cp1256",
        "cp1257",
        "koi8r",
        "koi8u",
        "binary",
    }
)

_HARMLESS = frozenset(
    [
        "ALLOW_INVALID_DATES",
        "ANSI",
        "EMPTY_STRING_IS_NULL",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "HIGH_NOT_PRECEDENCE",
        "IGNORE_BAD_TABLE_OPTIONS",
        "NO_AUTO_CREATE_USER",
        "NO_AUTO_VALUE_ON_ZERO",
        "NO_DIR_IN_CREATE",
        "NO_ENGINE_SUBSTITUTION",
        "NO_FIELD_OPTIONS",
        "NO_KEY_OPTIONS",
        "NO_TABLE_OPTIONS",
        "NO_UNSIGNED_SUBTRACTION",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "ONLY_FULL_GROUP_BY",
        "PAD_CHAR_TO_FULL_LENGTH",
        "PIPES_AS_CONCAT",
        "REAL_AS_FLOAT",
        "SIMULTANEOUS_ASSIGNMENT",
        "STRICT_ALL_TABLES",
        "STRICT_TRANS_TABLES",
        "TIME_ROUND_FRACTIONAL",
        "TIME_TRUNCATE_FRACTIONAL",
        "TRADITIONAL",
    ]
)
_READING = frozenset({"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "IGNORE_SPACE"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts are read: the part of a session's settings that the lexer goes by."""

    mariadb: bool
    version: int
    ansi_quotes: bool
    backslash: bool
    ignore_space: bool
    supplementary: bool  # characters beyond U+FFFF reach the server as such


def reading(settings: MysqlSettings) -> Reading:
    """How the server reads texts under these settings. Raises Unread where that is not known."""
    modes = frozenset(mode for mode in settings.sql_mode if mode)
    unknown = modes - _HARMLESS - _READING
    if unknown:
        raise Unread(f"the sql_mode {min(unknown)} changes how statements are read")
    if settings.version < 50500 or settings.version > 999999:
        raise Unread("the version of the server is not known")
    return Reading(
        mariadb=settings.flavor is Flavor.MARIADB,
        version=settings.version,
        ansi_quotes=not modes.isdisjoint({"ANSI_QUOTES", "ANSI"}),
        backslash="NO_BACKSLASH_ESCAPES" not in modes,
        ignore_space=not modes.isdisjoint({"IGNORE_SPACE", "ANSI"}),
        supplementary=settings.charset == "utf8mb4",
    )


def check_charset(text: str, charset: str) -> None:
    """Raises Unread where the server may cut the text into other characters than ours."""
    if charset in UTF8:
        if charset != "utf8mb4" and any(c > "\uffff" for c in text):
            raise Unread(f"the statement has characters that {charset} does not have")
    elif charset not in SINGLE_BYTE:
        raise Unread(f"statements in the character set {charset or 'of this session'} are not read")
    elif not text.isascii():
        raise Unread(f"a statement in the character set {charset} must be ASCII")
