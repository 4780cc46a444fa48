"""Takes password literals out of a statement text before it is recorded.

By token, never by tree: what is replaced is a whole literal, the rest of the text stays byte for byte. When in doubt
a literal goes: a password in a record cannot be taken back. This is for records alone; nothing is forwarded from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from postgast import pg_query_pb2, scan

from hostagent.sql.analysis import Statement
from hostagent.sql.postgres.tree import Tree
from hostagent.sql.secrets import MASK, SECRET, SECRET_VALUE

LITERALS = frozenset({pg_query_pb2.SCONST, pg_query_pb2.USCONST})
COMMENTS = frozenset({pg_query_pb2.SQL_COMMENT, pg_query_pb2.C_COMMENT})

# Every literal of these statements goes: options and connection strings of other servers.
CONNECTING = frozenset(
    {
        "AlterFdwStmt",
        "AlterForeignServerStmt",
        "AlterSubscriptionStmt",
        "AlterUserMappingStmt",
        "CreateFdwStmt",
        "CreateForeignServerStmt",
        "CreateSubscriptionStmt",
        "CreateUserMappingStmt",
    }
)
ESCAPED = re.compile(rb"^(?:[eE]'|[uU]&)")


def recorded_text(text: str, raw: bytes, nodes: Iterable[Tree], statements: Iterable[Statement]) -> str | None:
    """The text with password literals replaced by '***', or None when there are none.

    `nodes` are the RawStmt bodies of the text and `statements` what was seen in them.
    """
    whole = [(n.get("stmt_location", 0), n.get("stmt_len", 0)) for n in _hiding(nodes, statements)]
    calls_out = any(f.name.startswith("dblink") for s in statements for f in s.functions)
    if not whole and not calls_out and SECRET.search(text) is None:
        return None
    spans = _secret_spans(raw, whole, calls_out)
    if not spans:
        return None
    pieces, at = [], 0
    for start, end in spans:
        pieces += [raw[at:start], MASK.encode()]
        at = end
    return b"".join((*pieces, raw[at:])).decode()


def _hiding(nodes: Iterable[Tree], statements: Iterable[Statement]) -> list[Tree]:
    return [
        node
        for node, statement in zip(nodes, statements, strict=True)
        if not CONNECTING.isdisjoint(node["stmt"]) or any(SECRET.search(name) for name in statement.settings)
    ]


def _secret_spans(raw: bytes, whole: list[tuple[int, int]], calls_out: bool) -> list[tuple[int, int]]:
    tokens = [t for t in scan(raw.decode()).tokens if t.token not in COMMENTS]
    spans = []
    for before, token in pairwise([tokens[0], *tokens]):
        if token.token not in LITERALS:
            continue
        literal = raw[token.start : token.end]
        inside = any(start <= token.start and (not size or token.end <= start + size) for start, size in whole)
        announced = before.token == pg_query_pb2.PASSWORD
        hidden = calls_out and (ESCAPED.match(literal) is not None or b"\\" in literal)
        if inside or announced or hidden or SECRET_VALUE.search(literal.decode()) is not None:
            spans.append((token.start, token.end))
    return spans
