"""Template of a MySQL text: its literals replaced by holes, as `hostagent.sql.template` does for PostgreSQL.

It is given only where no server could read the text otherwise: any comment, backslash, control character, prefixed or
glued literal, or quoted variable gives None, and the exact text is used. `literal_free` says for which rulings.
"""

from __future__ import annotations

import re

from hostagent.sql.secrets import SECRET_VALUE
from hostagent.sql.template import joined
from hostagent.values.mysql import MysqlSettings

MAX_TEMPLATE = 16 << 10  # characters, as for PostgreSQL

_WORD = r"A-Za-z0-9_$\x80-\U0010ffff"
_UNSURE = re.compile(r"--|#|/\*|\\|[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = rf"(?<![{_WORD}.])[0-9]+(?:\.[0-9]+)?(?![{_WORD}.])"
_LITERAL = re.compile(
    rf"""(?<![{_WORD}'"`@])'[^']*'(?![{_WORD}'"`])|(?<![{_WORD}'"`@])"[^"]*"(?![{_WORD}'"`])|`[^`]*`|{_NUMBER}"""
)
_IDENTIFIER = re.compile(r"`[^`]*`")
_LEFT_OVER = re.compile(rf"""['"`]|(?<![{_WORD}])[0-9]|\.[0-9]""")


def template(text: str, settings: MysqlSettings) -> str | None:
    """The text with literals as holes, or None where only the exact text will do."""
    if len(text) > MAX_TEMPLATE or _UNSURE.search(text) is not None:
        return None
    if '"' in text and not {"ANSI", "ANSI_QUOTES"}.isdisjoint(settings.sql_mode):
        return None  # there it is an identifier
    if not text.isascii() and settings.charset != "utf8mb4":
        return None
    if ("'" in text or '"' in text) and SECRET_VALUE.search(text) is not None:
        return None
    holed = _LITERAL.sub(_hole, text)
    rest = _IDENTIFIER.sub("", holed)
    return None if _LEFT_OVER.search(rest) is not None else holed


def literal_spans(text: str) -> list[tuple[int, int]]:
    """Where the literals of a text that has a template stand, in characters."""
    return [match.span() for match in _LITERAL.finditer(text) if match.group()[0] != "`"]


def filled(pieces: tuple[str, ...], text: str) -> str:
    """The pieces with the literals of that text between them. Raises ValueError unless there is one for each place."""
    return joined(pieces, [text[start:end] for start, end in literal_spans(text)])


def _hole(match: re.Match[str]) -> str:
    found = match.group()
    if found[0] == "`":
        return found
    return "\x01" if found[0].isdigit() else "\x02"
