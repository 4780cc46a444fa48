"""The second opinion: sqlglot must read every query and every statement about rows as our own parser did.

It is asked about a text that is made of our tokens: each literal, and each name that we take for a relation's or a
column's, is a hole with a number. So nothing of quoting, escapes, character sets or comments is left to it. Then:

1. it must parse the text, and no part of it to an opaque command;
2. the relations that it sees must be exactly ours;
3. the text that it writes from its tree must have exactly our holes: nothing was dropped and nothing was made up.

It is loaded when the first statement of a MySQL session comes; PostgreSQL needs none of it.
"""

from __future__ import annotations

import importlib
import logging
import re
from functools import lru_cache
from typing import Any

from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.tokens import Token, Type, Unread

_HOLE = re.compile(r"\bhole([0-9]+)\b|\b7([0-9]{7})\b")
_RENAMED = {"replace": "INSERT", "value": "VALUES"}  # statements, and words, that it has no form for

_FAULTS = (ValueError, KeyError, AttributeError, TypeError, IndexError)  # what it raises where it is at a loss


@lru_cache(maxsize=1)
def _sqlglot() -> Any:
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # its warnings have parts of statements in them
    module = importlib.import_module("sqlglot")
    importlib.import_module("sqlglot.dialects.mysql")
    return module


def check(tokens: list[Token], found: Found) -> None:
    """Raises Unread where sqlglot reads a part of a statement otherwise."""
    if "inner text" in found.notes:
        return  # read, and checked, as a text of its own
    names = _names(tokens, found)
    for first, end in found.rows:
        text = _text(tokens, found, names, first, end)
        tree = _parsed(text)
        _check_relations(tree, found, first, end)
        if _holes(_written(tree)) != _holes(text):
            raise Unread("a second parser loses a part of it")


def _parsed(text: str) -> Any:
    sqlglot = _sqlglot()
    try:
        trees = sqlglot.parse(text, read="mysql")
    except (sqlglot.errors.SqlglotError, *_FAULTS):
        raise Unread("a second parser does not know it") from None
    if len(trees) != 1 or trees[0] is None or trees[0].find(sqlglot.exp.Command) is not None:
        raise Unread("a second parser does not see through it")
    return trees[0]


def _written(tree: Any) -> str:
    try:
        return str(tree.sql(dialect="mysql", comments=False))
    except (_sqlglot().errors.SqlglotError, *_FAULTS):
        raise Unread("a second parser cannot write it again") from None


def _names(tokens: list[Token], found: Found) -> set[int]:
    """Tokens that are names of relations and columns."""
    names = set(found.common)
    for reference in found.references:
        names.update(range(reference.first, reference.first + 2 * len(reference.parts) - 1, 2))
    for source in found.sources:
        names.update(range(source.first, source.after, 2))
    return {i for i in names if tokens[i].type in (Type.WORD, Type.QUOTED)}


def _text(tokens: list[Token], found: Found, names: set[int], first: int, end: int) -> str:
    pieces: list[str] = []
    for index in range(first, end):
        if index in found.noise:
            continue
        token = tokens[index]
        glue = "" if token.type is Type.SIGN and token.value in ("(", ".") else " "
        if pieces and pieces[-1] == ".":
            glue = ""
        pieces += [glue] if glue else []
        if index in found.called:
            pieces.append(f"stored{index}")
            continue
        if index in found.deleted:
            pieces.append(f"`target{index}`")
            continue
        pieces.append(_piece(token, index, named=index in names, at_start=index == first))
    return "".join(pieces)


def _piece(token: Token, index: int, *, named: bool, at_start: bool) -> str:
    if named or token.type is Type.QUOTED:
        return f"`hole{index}`"
    if token.type is Type.STRING:
        return f"'hole{index}'"
    if token.type is Type.NUMBER:
        return f"7{index:07d}"
    if token.type is Type.VARIABLE:
        return f"@hole{index}"
    if token.type is Type.WORD and (not token.text.isascii() or token.value.startswith(("hole", "target"))):
        return f"`hole{index}`"
    if token.type is Type.WORD and at_start:
        return _RENAMED.get(token.value, token.text)
    return token.text if token.type is not Type.SYSTEM else f"@@{token.value}"


def _holes(text: str) -> set[str]:
    return {one or other.lstrip("0") or "0" for one, other in _HOLE.findall(text)}


def _check_relations(tree: Any, found: Found, first: int, end: int) -> None:
    exp = _sqlglot().exp
    seen = {t.this.name for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)}
    seen = {name for name in seen if not name.startswith("target") and name.lower() != "dual"}
    if any(not name.startswith("hole") for name in seen):
        raise Unread("a second parser sees other relations in it")
    theirs = {int(name.removeprefix("hole")) for name in seen}
    ours = {s.after - 1 for s in found.sources if s.block >= 0} | found.common  # outside a block it is a sequence
    ours = {place for place in ours if first <= place < end}
    if theirs != ours:
        raise Unread("a second parser sees other relations in it")
