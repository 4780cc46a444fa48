"""Statements in a session with masks: which can be made safe at all. A closed list.

What makes code that runs out of sight, reaches files or the server as a whole, or reads back what the server said of
an earlier statement, is refused whatever it touches.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Masks
from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.functions import is_harmless
from hostagent.sql.mysql.tokens import Token, Type

_ALLOWED = frozenset(
    {
        Kind.ALTER, Kind.COPY_FROM, Kind.CREATE, Kind.DELETE, Kind.DROP, Kind.EMPTY, Kind.EXPLAIN, Kind.INSERT,
        Kind.LOCK, Kind.MAINTENANCE, Kind.SELECT, Kind.SET, Kind.SHOW, Kind.TRANSACTION, Kind.TRUNCATE, Kind.UPDATE,
    }
)  # fmt: skip
_WHY = {
    Kind.CALL: ("what a procedure does cannot be seen", "send its statements one by one"),
    Kind.PREPARE: ("a text within a text cannot be masked", "prepare it with the client's own call"),
    Kind.EXECUTE: ("a text within a text cannot be masked", "prepare it with the client's own call"),
    Kind.SERVER_FILE: ("files of the server are out of sight", "SELECT without INTO"),
}
_DEFINING = frozenset({Kind.CREATE, Kind.ALTER, Kind.DROP})
_NOTES = {
    "code": ("what code brings about cannot be seen", "let somebody without masks run it"),
    "show warnings": ("what the server says of a masked statement is not shown", ""),
    "show table status": ("it tells checksums of relations", "read information_schema.tables"),
    "show status": ("counters of the server tell of rows that were read", ""),
}
_ABOUT_TEXT = ("names", "character_set", "collation")
_AS_STORED = "character_set_as_stored"  # of results: what is in them is masked in any character set
_UTF8_WORDS = frozenset({"set", "session", "local", "names", "character", "charset", "collate"})


def check(found: Found, tokens: list[Token], masks: Masks) -> None:
    """Raises Refused for a statement that cannot be made safe whatever it names."""
    for kind in sorted(found.kinds - _ALLOWED):
        raise Refused(*_WHY.get(kind, (f"what this statement ({kind}) brings about cannot be seen", "")))
    for note in sorted(found.notes & _NOTES.keys()):
        raise Refused(*_NOTES[note])
    for function in sorted(found.functions):
        if not is_harmless(function) and not (function.schema and masks.trusts(function)):
            raise Refused(f"the function {function} could read anything", "write what it does into the statement")
    about_text = [name for name in found.settings if name.startswith(_ABOUT_TEXT) and name != _AS_STORED]
    if about_text and not _stays_utf8(tokens[slice(*found.span)]):
        raise Refused(f"the setting {about_text[0]} changes how statements are read", "leave it as it is, or utf8mb4")


def check_order(statements: list[Found]) -> None:
    """Raises Refused where one statement of a text may change what the names of another mean."""
    if len(statements) > 1 and any(not s.kinds.isdisjoint(_DEFINING) for s in statements):
        raise Refused("a definition beside other statements", "send them one by one")


def _stays_utf8(tokens: list[Token]) -> bool:
    """SET NAMES utf8mb4 and the like, and nothing else in the statement."""
    words = [t.value.lower() for t in tokens if t.type is not Type.SIGN]
    named = [word for word in words if word not in _UTF8_WORDS and not word.startswith(_ABOUT_TEXT)]
    return bool(named) and all(word.startswith("utf8") for word in named)
