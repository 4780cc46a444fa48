"""Text → Analysis, or Unanalyzed with the reason. Pure. What is not seen whole is refused, never guessed."""

from __future__ import annotations

from postgast import PgQueryError, split

from hostagent.sql.analysis import Analysis, Kind, Statement, Unanalyzed
from hostagent.sql.postgres import expression, query, utility
from hostagent.sql.postgres.redact import recorded_text
from hostagent.sql.postgres.scope import Scope
from hostagent.sql.postgres.tree import Tree, Unparsed, parse
from hostagent.sql.postgres.walk import Handler, Unseen, Walk

MAX_TEXT = 1 << 20  # bytes of UTF-8

HANDLERS: dict[str, Handler] = {**expression.HANDLERS, **query.HANDLERS, **utility.HANDLERS}


def analyze(text: str, *, standard_conforming_strings: bool = True) -> Analysis | Unanalyzed:
    """What a statement text does. Raises nothing for any text.

    `standard_conforming_strings` is the session's setting: when it is off, a backslash may end a literal elsewhere
    than our parser says, so a text with one is not analyzed.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return Unanalyzed("the statement is not valid UTF-8")
    if len(raw) > MAX_TEXT:
        return Unanalyzed(f"the statement is longer than {MAX_TEXT} bytes")
    if b"\0" in raw:
        return Unanalyzed("the statement contains a NUL character")
    if not standard_conforming_strings and b"\\" in raw:
        return Unanalyzed("the statement contains a backslash while standard_conforming_strings is off")
    try:
        nodes = parse(raw)
        if not _agrees(text, nodes):
            return Unanalyzed("the statement cannot be told from its neighbours")
        statements = tuple(_statement(node) for node in nodes)
        recorded = recorded_text(text, raw, nodes, statements)
    except Unparsed as e:
        return Unanalyzed(f"the statement cannot be parsed: {e}", e.syntax, e.position)
    except (Unseen, KeyError):
        return Unanalyzed("the statement contains something that is not known")
    except RecursionError:
        return Unanalyzed("the statement is nested too deeply")
    return Analysis(statements or (Statement(frozenset({Kind.EMPTY})),), recorded)


def _statement(node: Tree) -> Statement:
    walk = Walk(HANDLERS)
    walk.node(node["stmt"], Scope())
    if not walk.kinds:
        raise Unseen("no kind")
    return walk.statement()


def _agrees(text: str, nodes: list[Tree]) -> bool:
    """Whether the scanner, which knows no grammar, finds the same number of statements.

    The body of a function that is written in SQL (BEGIN ATOMIC) has semicolons of its own.
    """
    if any("CreateFunctionStmt" in node["stmt"] and "sql_body" in node["stmt"]["CreateFunctionStmt"] for node in nodes):
        return True
    try:
        return len(split(text, method="scanner")) == len(nodes)
    except PgQueryError:
        return False
