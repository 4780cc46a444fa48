"""Template: a statement with its literals replaced by type-tagged holes, so that a ruling can be remembered.

Hand-built SQL changes its literals every time; the exact text never repeats. Three rules:

1. A template is given only where this lexer is sure to agree with PostgreSQL's scanner: any comment, backslash, dollar
   quote, prefixed string (E'', U&'', B'' …), control character or number glued to a letter gives None, and the exact
   text is used. `standard_conforming_strings` is pinned on for every session.
2. Only a ruling that no literal's value can change may be kept under a template: `literal_free` says which.
3. A text that may hold a password has none: its ruling carries what may be recorded of it, and that is its own.
"""

from __future__ import annotations

import re
from typing import Final

from hostagent.sql.analysis import Analysis, Kind, Name
from hostagent.sql.secrets import SECRET_VALUE

MAX_TEMPLATE: Final = 16 << 10  # characters; a longer text is rarely repeated and costs more to scan than it saves

# PostgreSQL's scanner takes every byte above 0x7f as a letter (src/backend/parser/scan.l, ident_start)
_WORD: Final = r"A-Za-z0-9_$\x80-\U0010ffff"
_UNSURE: Final = re.compile(r"""--|/\*|\\|\$(?![0-9])|[uU]&['"]|[\x00-\x08\x0b\x0e-\x1f\x7f]""")
_LITERAL: Final = re.compile(
    rf"""(?<![{_WORD}'])'[^']*'(?![{_WORD}'])"""  # a plain string; a prefixed or doubled quote is left standing
    r"""|"[^"]*\""""
    rf"""|(?<![{_WORD}.])[0-9]+(?:\.[0-9]+)?(?![{_WORD}.])"""
)
# what may not be left: a quote that paired with none, a number that was not one (1e5, 0x1F, 1_000, 12abc, .5, 5.)
_LEFT_OVER: Final = re.compile(rf"""['"]|(?<![{_WORD}])[0-9]|\.[0-9]""")
_IDENTIFIER: Final = re.compile(r'"[^"]*"')

_LITERAL_FREE_KINDS: Final = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE})


def template(text: str) -> str | None:
    """The text with literals as holes, or None where only the exact text will do."""
    if len(text) > MAX_TEMPLATE or _UNSURE.search(text) is not None:
        return None
    if "'" in text and SECRET_VALUE.search(text) is not None:  # outside a string there is no password to hide
        return None
    holed = _LITERAL.sub(_hole, text)
    rest = _IDENTIFIER.sub("", holed) if '"' in holed else holed
    return None if _LEFT_OVER.search(rest) is not None else holed


def literals(text: str) -> list[str]:
    """The literals of a text that has a template, in order, as they stand in it."""
    return [found for found in _LITERAL.findall(text) if found[0] != '"']


def literal_spans(text: str) -> list[tuple[int, int]]:
    """Where they stand, in characters."""
    return [match.span() for match in _LITERAL.finditer(text) if match.group()[0] != '"']


def filled(pieces: tuple[str, ...], text: str) -> str:
    """The pieces with the literals of that text between them. Raises ValueError unless there is one for each place."""
    return joined(pieces, literals(text))


def joined(pieces: tuple[str, ...], between: list[str]) -> str:
    """The pieces with these literals between them. Raises ValueError unless there is one for each place."""
    parts = [pieces[0]]
    for literal, piece in zip(between, pieces[1:], strict=True):
        parts.append(literal)
        parts.append(piece)
    return "".join(parts)


def literal_free(analysis: Analysis) -> bool:
    """Whether no literal's value can change what policy says: plain row statements that touch no setting.

    A function's arguments can name settings, relations or whole statements (`set_config`, `query_to_xml`), but policy
    looks at function names only, and those stand in the template; `settings` is where an argument was looked at.
    """
    return analysis.recorded_text is None and all(
        s.kinds <= _LITERAL_FREE_KINDS and not s.settings and Name("", "set_config") not in s.functions
        for s in analysis.statements
    )


def _hole(match: re.Match[str]) -> str:
    found = match.group()
    if found[0] == '"':
        return found
    return "\x02" if found[0] == "'" else "\x01"
