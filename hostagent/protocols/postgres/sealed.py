"""What a sealed session says in the server's place: errors and notices built again from their SQLSTATE.

A message text can quote a value (22P02 quotes what it could not read, 23514 the whole row), and where masks are in
force nobody knows whose. Kept: severity, SQLSTATE, position, and the names that PostgreSQL gives in own fields. The
text is kept only for classes in which it speaks of the statement and the catalog, not of data.

Source: PostgreSQL documentation, "Error and Notice Message Fields" and appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from hostagent.protocols.postgres import messages

_KEPT = "SVCPstcdn"  # severity, its untranslated form, SQLSTATE, position, schema, table, column, data type, constraint
_SPEAKING = frozenset({"08", "0A", "25", "26", "28", "2B", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57"})
_CLASSES = {
    "00": "successful completion",
    "01": "warning",
    "02": "no data",
    "21": "a sub-query gave more than one row",
    "22": "a value is not what was expected",
    "23": "a constraint was violated",
    "2F": "a function failed",
    "38": "a function failed",
    "39": "a function failed",
    "44": "the row violates a check option",
    "P0": "a function raised an error",
    "XX": "the server failed",
}
_TEXTS = {
    "22001": "a value is too long",
    "22003": "a number is out of range",
    "22007": "not a date or time",
    "22008": "a date or time is out of range",
    "22012": "division by zero",
    "22021": "a character is not valid in this encoding",
    "22P02": "a value has the wrong form for its type",
    "22P03": "a binary value has the wrong form for its type",
    "23502": "a column must not be null",
    "23503": "a foreign key was violated",
    "23505": "a row with this key exists",
    "23514": "a check constraint was violated",
    "23P01": "an exclusion constraint was violated",
}
_LONGEST = 63  # bytes of a name: the server cuts what is longer, where its own encoding says
WITHHELD = "; its text is withheld, as masks are in force"


def as_promised(names: list[bytes], promised: tuple[str | None, ...]) -> bool:
    """Whether a result has so many columns, of these names where they are known. Others than short ASCII ones are not
    compared: how they come depends on encodings of the session and the server."""
    if len(names) != len(promised):
        return False
    for name, wanted in zip(names, promised, strict=True):
        if wanted is not None and wanted.isascii() and len(wanted) <= _LONGEST and name != wanted.encode():
            return False
    return True


def rebuilt(kind: int, fields: dict[str, str]) -> bytes:
    """An ErrorResponse or NoticeResponse (`kind`) with these fields, without what could quote a value."""
    code = fields.get("C", "XX000")
    shown = {name: value for name, value in fields.items() if name in _KEPT}
    if code[:2] in _SPEAKING:
        shown["M"] = fields.get("M", "")
    else:
        shown["M"] = (_TEXTS.get(code) or _CLASSES.get(code[:2], "the server refused")) + WITHHELD
    return messages.report(kind, shown)
