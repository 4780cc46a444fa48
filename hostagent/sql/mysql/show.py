"""SHOW, EXPLAIN, DESCRIBE: a closed list of what may be asked for.

What tells of other sessions, of logs or of the server as a whole is SYSTEM besides SHOW.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql.found import Role
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.session import rest
from hostagent.sql.mysql.tokens import Type, Unread

# words that may follow SHOW at once and need no name
_LISTS = frozenset(
    {
        "authors", "character", "charset", "collation", "contributors", "databases", "engines", "errors", "events",
        "locales", "open", "plugins", "privileges", "schemas", "status", "tables", "triggers", "variables", "warnings",
    }
)  # fmt: skip
_SYSTEM = frozenset(
    {
        "all", "analyze", "binary", "binlog", "client_statistics", "explain", "grants", "index_statistics", "master",
        "package", "processlist", "profile", "profiles", "query_response_time", "relaylog", "replica", "replicas",
        "slave", "table_statistics", "user_statistics", "userstat", "wsrep_membership", "wsrep_status", "engine",
    }
)  # fmt: skip


def show(p: Queries) -> None:
    """SHOW."""
    p.at += 1
    p.found.kinds.add(Kind.SHOW)
    while p.one_of("full", "global", "session", "local", "extended"):
        pass
    if p.word("create"):
        _create(p)
    elif p.is_word("columns", "fields", "index", "indexes", "keys"):
        p.found.notes.add("described" if p.one_of("columns", "fields") else "show index")
        p.one_of("index", "indexes", "keys")
        _of_relation(p)
        _filter(p)
    elif p.is_word("count") and p.is_sign("(", ahead=1):
        _count(p)
    elif p.word("table"):
        p.need("status")
        p.found.notes.add("show table status")
        _listed(p)
    elif p.one_of("procedure", "function", "package"):
        p.word("body")
        if not p.one_of("status"):
            raise Unread("the code of routines is not shown")
        _listed(p)
    elif word := p.one_of(*_LISTS):
        _list(p, word)
    elif word := p.one_of(*_SYSTEM):
        if word != "grants" or not p.ends():
            p.found.kinds.add(Kind.SYSTEM)
        p.found.notes.add(f"show {word}")
        _system(p)
    else:
        raise p.fail()


def _count(p: Queries) -> None:
    p.at += 1
    for sign in "(*)":
        p.need_sign(sign)
    if not p.one_of("warnings", "errors"):
        raise p.fail()


def _system(p: Queries) -> None:
    while not p.ends():
        if p.is_word("select", "where", "begin"):
            raise p.fail()
        p.at += 1


def _list(p: Queries, word: str) -> None:
    if word == "open":
        p.need("tables")
    elif word == "character":
        p.need("set")
    elif word in ("warnings", "errors"):
        p.found.notes.add("show warnings")
        if p.word("limit"):
            p.limit()
        return
    elif word == "status":
        p.found.notes.add("show status")
    _listed(p)


def _listed(p: Queries) -> None:
    if p.one_of("from", "in"):
        p.name()
    _filter(p)


def _filter(p: Queries) -> None:
    if p.word("like"):
        p.take(Type.STRING, Type.HOLE)
    elif p.word("where"):
        p.clause = "where"
        p.expression()
    p.found.references.clear()


def _of_relation(p: Queries) -> None:
    if not p.one_of("from", "in"):
        raise p.fail()
    source = p.relation(Role.READ)
    if p.one_of("from", "in"):
        source.name = p.relation_name(p.name(), source.name.name)


def _create(p: Queries) -> None:
    if p.one_of("database", "schema"):
        p.word("if", "not", "exists")
        p.name()
    elif p.one_of("table", "view", "sequence"):
        p.relation(Role.READ)
        p.found.notes.add("described")
    elif p.one_of("procedure", "function", "trigger", "event"):
        p.found.notes.add("show code")
        p.qualified()
    elif p.one_of("user"):
        p.found.kinds.add(Kind.ROLE)
        rest(p)
    else:
        raise p.fail()


def explain(p: Queries) -> None:
    """EXPLAIN, DESCRIBE, DESC and MariaDB's ANALYZE; the statement that is explained is read by the caller."""
    word = p.one_of("explain", "describe", "desc", "analyze")
    p.found.kinds.add(Kind.EXPLAIN)
    p.found.notes.add("explain")
    while p.one_of("extended", "partitions", "analyze") or _format(p):
        word = "explain"
    if p.word("for"):
        p.word("connection")
        p.found.kinds.add(Kind.SYSTEM)
        p.take(Type.NUMBER)
    elif p.is_word("select", "with", "insert", "replace", "update", "delete", "table", "values") or p.is_sign("("):
        p.found.notes.add("statement follows")
    elif word != "analyze":
        p.found.kinds.clear()
        p.found.kinds.add(Kind.SHOW)
        p.found.notes.add("described")
        p.relation(Role.READ)
        if p.peek().type in (Type.STRING, Type.QUOTED, Type.WORD):
            p.at += 1
    else:
        raise p.fail()


def _format(p: Queries) -> bool:
    if not (p.is_word("format") and p.is_sign("=", ahead=1)):
        return False
    p.at += 2
    if p.peek().type is Type.STRING:
        p.at += 1
    else:
        p.label()
    return True
