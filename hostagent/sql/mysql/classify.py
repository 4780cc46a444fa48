"""Text → Analysis, or Unanalyzed with the reason. Pure. What is not seen whole is refused, never guessed."""

from __future__ import annotations

from hostagent.sql.analysis import Analysis, Kind, Statement, Unanalyzed
from hostagent.sql.mysql import second
from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.modes import check_charset
from hostagent.sql.mysql.redact import recorded_text
from hostagent.sql.mysql.statements import read
from hostagent.sql.mysql.tokens import Token, Unread
from hostagent.values.mysql import MysqlSettings

MAX_TEXT = 1 << 20  # bytes of UTF-8


def analyze(text: str, settings: MysqlSettings) -> Analysis | Unanalyzed:
    """What a statement text does in a session with these settings. Raises nothing for any text."""
    try:
        tokens, found = understood(text, settings)
    except Unread as e:
        return Unanalyzed(f"the statement is not understood: {e}")
    except RecursionError:
        return Unanalyzed("the statement is nested too deeply")
    statements = tuple(f.statement() for f in found)
    return Analysis(statements or (Statement(frozenset({Kind.EMPTY})),), recorded_text(text, tokens, found, statements))


def understood(text: str, settings: MysqlSettings) -> tuple[list[Token], list[Found]]:
    """The tokens and statements of a text that two parsers read alike. Raises Unread."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Unread("it is not valid UTF-8") from None
    if size > MAX_TEXT:
        raise Unread(f"it is longer than {MAX_TEXT} bytes")
    if "\0" in text:
        raise Unread("it contains a NUL character")
    check_charset(text, settings.charset)
    tokens, found = read(text, settings)
    for one in found:
        second.check(tokens, one)
    return tokens, found
