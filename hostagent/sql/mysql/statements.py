"""Statements: the closed table of what a statement may begin with, and the texts within texts.

A statement that is not in the table is not read. What is refused by name says so.
"""

from __future__ import annotations

from collections.abc import Callable

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql import accounts, definitions, second, session, show, upkeep, writes
from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.tokens import Token, Type, Unread
from hostagent.values.mysql import MysqlSettings

MAX_STATEMENTS = 1000
_MOVING = ("sql_mode", "character_set", "collation", "names", "database", "role")

_Handler = Callable[[Queries], None]
_HANDLERS: dict[str, _Handler] = {
    "alter": definitions.alter,
    "begin": session.transaction,
    "call": session.call,
    "commit": session.transaction,
    "create": definitions.create,
    "deallocate": session.deallocate,
    "delete": writes.delete,
    "do": session.do,
    "drop": definitions.drop,
    "grant": accounts.grant,
    "insert": writes.insert,
    "kill": session.kill,
    "load": writes.load,
    "lock": session.lock,
    "release": session.transaction,
    "rename": definitions.rename,
    "replace": writes.insert,
    "revoke": accounts.grant,
    "rollback": session.transaction,
    "savepoint": session.transaction,
    "set": session.set_,
    "show": show.show,
    "start": session.transaction,
    "truncate": definitions.truncate,
    "unlock": session.unlock,
    "update": writes.update,
    "use": session.use,
    "xa": session.xa,
    **upkeep.HANDLERS,
}
_REFUSED = {
    "handler": "HANDLER is refused: it reads rows past every rule",
    "get": "GET DIAGNOSTICS is refused",
    "signal": "SIGNAL is refused",
    "resignal": "RESIGNAL is refused",
}


def read(text: str, settings: MysqlSettings) -> tuple[list[Token], list[Found]]:
    """The tokens of a text and what each of its statements was found to do. Raises Unread."""
    parser = Queries(lex(text, reading(settings)), settings)
    found: list[Found] = []
    while True:
        while parser.sign(";"):
            pass
        if parser.peek().type is Type.END:
            return parser.tokens, found
        if len(found) >= MAX_STATEMENTS:
            raise Unread(f"more than {MAX_STATEMENTS} statements in one text")
        if found:
            _check_moved(found[-1])
        found.append(_statement(parser))
        if parser.peek().type is not Type.END and not parser.is_sign(";"):
            raise parser.fail()


def _check_moved(before: Found) -> None:
    """The rest of a text is read as the session was when it was sent."""
    moved = [name for name in before.settings if name.startswith(_MOVING)]
    if moved:
        raise Unread("a statement behind one that changes how it is read must be sent by itself")


def _statement(p: Queries) -> Found:
    p.found = Found()
    p.block, p.clause, p.depth, p.updating = -1, "", 0, False
    first = p.at
    _one(p)
    p.found.span = (first, p.at)
    return p.found


def _one(p: Queries) -> None:
    word = p.peek().value if p.peek().type is Type.WORD else ""
    if p.is_sign("(") or word in ("select", "with", "values", "table"):
        _query(p)
    elif word in ("explain", "describe", "desc") or (word == "analyze" and not upkeep.is_analyze_table(p)):
        show.explain(p)
        _follow(p)
    elif word == "prepare":
        _inner(p, session.prepare(p))
    elif word == "execute":
        _inner(p, session.execute(p))
    elif word in _HANDLERS:
        _HANDLERS[word](p)
        _follow(p)
    else:
        raise Unread(_REFUSED.get(word) or f"statements that begin with {word or p.peek().text[:20]!r} are refused")


def _query(p: Queries) -> None:
    """A query, or an UPDATE or DELETE behind WITH (MySQL)."""
    p.query()


def _follow(p: Queries) -> None:
    """The statement that EXPLAIN or SET STATEMENT stands before."""
    if "statement follows" in p.found.notes:
        p.found.notes.discard("statement follows")
        if p.is_word("set", "explain", "prepare", "execute"):
            raise p.fail()
        _one(p)


def _inner(p: Queries, text: Token | None) -> None:
    """The statement in the text of PREPARE or EXECUTE IMMEDIATE, which counts as the statement itself."""
    if text is None:
        return
    tokens, inner = read(text.value, p.settings)
    for one in inner:
        second.check(tokens, one)
    if len(inner) != 1 or not inner[0].kinds.isdisjoint({Kind.PREPARE, Kind.EXECUTE}):
        raise Unread("a text that is prepared must hold one statement")
    outer, p.found = p.found, inner[0]
    if p.found.secret:
        p.found.secret = {p.tokens.index(text)}
    p.found.kinds |= outer.kinds
    p.found.functions |= outer.functions
    p.found.notes.add("inner text")
