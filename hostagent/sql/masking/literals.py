"""What a rewrite is remembered by: the sent text between the client's literals, to put another text's literals into.

Two texts of one template (`sql.template`) have the same tokens but for the values of their literals, so the same tree
but for these. A rewrite that asked for no value made the same edits in both, and what is sent for the one is what is
sent for the other, with its literals. Where a value is asked for, or decides what the tree is, there are no pieces:

- a setting that `current_setting` or `set_config` names
- a number in GROUP BY, which is a column of the result
- the modifier of a type: `float(24)` is another type than `float(25)`, and not every number is one
"""

from __future__ import annotations

from collections.abc import Iterable

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.routines import OF_SETTING
from hostagent.sql.masking.sites import Statement, walk
from hostagent.sql.masking.text import Edits
from hostagent.sql.postgres.objects import strings
from hostagent.sql.postgres.tree import Tree
from hostagent.sql.template import filled, literal_spans, template

MAX_PIECES = 64 << 10  # characters of what is remembered of one text; it names few relations, or narrow ones
_KINDS = frozenset({"DeleteStmt", "InsertStmt", "SelectStmt", "UpdateStmt"})


def is_free(statements: Iterable[Statement]) -> bool:
    """Whether no literal's value matters in these; asked before they are edited."""
    return all(statement.kind in _KINDS for statement in statements) and not any(
        _asks(kind, body) for statement in statements for kind, body in walk(statement.kind, statement.body)
    )


def pieces(text: str, edits: Edits) -> tuple[str, ...]:
    """The sent text around the literals of `text`, whose statements are free; () where it has no template."""
    if template(text) is None:
        return ()
    spans, place, at = [], 0, 0  # of bytes; `place` are the bytes before the character `at`
    for start, end in literal_spans(text):
        first = place + len(text[at:start].encode())
        place, at = first + len(text[start:end].encode()), end
        spans.append((first, place))
    try:
        found = tuple(edits.around(text.encode(), spans))
    except Refused:
        return ()
    sent = edits.apply(text.encode()).decode()
    return found if len(sent) <= MAX_PIECES and filled(found, text) == sent else ()


def _asks(kind: str, body: Tree) -> bool:
    if kind == "FuncCall":
        return strings(body["funcname"])[-1] in OF_SETTING
    if kind == "TypeName":
        return bool(body.get("typmods"))
    return kind == "SelectStmt" and any("A_Const" in item for item in body.get("groupClause", []))
