"""Statements that make, alter and drop relations and code: CREATE, ALTER, DROP, RENAME, TRUNCATE.

Definitions are read by their names and queries; the code of a routine is not looked into, only its end is found.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql import accounts, body
from hostagent.sql.mysql.found import Role
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.session import deallocate, hide, rest
from hostagent.sql.mysql.tokens import Type, Unread

_ENGINES = frozenset({"innodb", "myisam", "memory", "heap", "aria", "archive", "blackhole", "csv", "ndb", "ndbcluster"})
_CODE = ("procedure", "function", "trigger", "event", "package")
_SYSTEM = ("server", "tablespace", "logfile", "undo", "resource", "loadable", "library")


def create(p: Queries) -> None:
    """CREATE."""
    p.at += 1
    p.found.kinds.add(Kind.CREATE)
    p.word("or", "replace")
    _view_options(p)
    p.one_of("temporary", "unique", "fulltext", "spatial", "aggregate", "online", "offline")
    if p.one_of("table", "sequence"):
        _if_exists(p)
        p.relation(Role.DEFINE)
        _table_body(p)
    elif p.one_of("view"):
        _if_exists(p)
        p.relation(Role.DEFINE)
        _view_body(p)
    elif p.one_of("index"):
        _if_exists(p)
        p.name()
        _index(p)
    elif word := p.one_of(*_CODE):
        _code(p, word)
    else:
        _create_other(p)


def _create_other(p: Queries) -> None:
    if p.one_of("database", "schema"):
        p.found.kinds.add(Kind.SYSTEM)
        _if_exists(p)
        p.name()
        rest(p)
    elif p.one_of("user", "role"):
        accounts.account(p)
    elif p.one_of(*_SYSTEM):
        p.found.kinds.add(Kind.SYSTEM)
        start = p.at
        rest(p)
        hide(p, start, p.at)
    else:
        raise p.fail()


def _view_options(p: Queries) -> None:
    while True:
        if p.word("algorithm"):
            p.need_sign("=")
            p.label()
        elif p.word("definer"):
            p.need_sign("=")
            accounts.user(p)
        elif p.word("sql", "security"):
            p.label()
        else:
            return


def _if_exists(p: Queries) -> None:
    if p.word("if"):
        p.word("not")
        p.need("exists")


def _view_body(p: Queries) -> None:
    if p.is_sign("("):
        p.names()
    p.need("as")
    p.found.notes.add("view")
    p.query()
    if p.word("with"):
        p.one_of("cascaded", "local")
        p.need("check", "option")


def _index(p: Queries) -> None:
    if p.word("using"):
        p.label()
    p.need("on")
    p.relation(Role.DEFINE)
    _scan(p)


def _table_body(p: Queries) -> None:
    if p.word("like"):
        p.relation(Role.READ)
        return
    if p.is_sign("(") and p.is_word("like", ahead=1):
        p.at += 2
        p.relation(Role.READ)
        p.need_sign(")")
        return
    _scan(p)


def _scan(p: Queries) -> None:
    """Takes a definition to its end, and what it names on the way; a query may be its last part."""
    while not p.ends():
        if p.starts_query() or (p.is_sign("(") and p.starts_query(1)):
            if p.is_word("values", "table", "with") and not _is_query(p):
                _step(p)
                continue
            p.found.notes.add("from query")
            p.query()
            return
        _step(p)


def _is_query(p: Queries) -> bool:
    if p.is_word("with"):
        return not p.is_word("table", "parser", "validation", "system", "consistent", "rollup", ahead=1)
    return False  # VALUES LESS THAN, VALUES IN; TABLE stands in options of its own


def _step(p: Queries) -> None:
    token = p.peek()
    if token.type is not Type.WORD:
        p.at += 1
    elif p.word("references"):
        p.relation(Role.READ)
    elif p.word("default"):
        _default(p)
    elif p.is_word("check", "as") and p.is_sign("(", ahead=1):
        p.at += 2
        p.expression()
        p.need_sign(")")
    elif p.is_word("select"):
        raise p.fail()
    elif p.word("rename"):
        _renamed(p)
    elif p.word("exchange"):
        p.need("partition")
        p.name()
        p.need("with", "table")
        p.relation(Role.DEFINE)
    elif p.is_word("convert") and p.is_word("table", ahead=1):
        p.at += 2
        p.relation(Role.DEFINE)
    elif p.is_word("union") and (p.is_sign("=", ahead=1) or p.is_sign("(", ahead=1)):
        raise Unread("tables made of others are refused")
    else:
        _option(p)


def _default(p: Queries) -> None:
    if p.is_sign("(") or p.is_sign("(", ahead=1):
        p.expression()


def _renamed(p: Queries) -> None:
    if p.one_of("column", "index", "key"):
        p.name()
        p.need("to")
        p.name()
    else:
        if not p.sign("="):
            p.one_of("to", "as")
        p.relation(Role.DEFINE)


def _option(p: Queries) -> None:
    word = p.label().lower()
    if word in ("data", "index") and p.is_word("directory"):
        p.found.kinds.add(Kind.SERVER_FILE)
    elif word == "connection":
        p.found.kinds.add(Kind.SYSTEM)
        hide(p, p.at, p.at + 2)
    elif word in ("discard", "import") and p.is_word("tablespace"):
        p.found.kinds.add(Kind.SERVER_FILE)
    elif word == "engine" and (p.is_sign("=") or p.peek().type in (Type.WORD, Type.STRING, Type.QUOTED)):
        p.sign("=")
        token = p.peek()
        p.at += 1
        if token.value.lower() not in _ENGINES:
            p.found.kinds.add(Kind.SYSTEM)


def _code(p: Queries, word: str) -> None:
    """A routine, trigger or event: its name, and where its code ends."""
    if word == "package":
        p.word("body")
    _if_exists(p)
    schema, name = p.qualified()
    if word == "function" and p.is_word("returns", "soname"):
        p.found.kinds.update((Kind.SYSTEM, Kind.SERVER_FILE))
        if p.is_word("soname", ahead=2):
            rest(p)
            return
    if word == "event":
        p.found.kinds.add(Kind.SYSTEM)
    if word == "trigger":
        while not p.word("on"):
            if not p.one_of("before", "after", "insert", "update", "delete"):
                raise p.fail()
        p.relation(Role.DEFINE)
    else:
        p.found.also_writes.add(p.relation_name(schema, name))
    p.found.notes.add("code")
    body.skip(p)


def alter(p: Queries) -> None:
    """ALTER."""
    p.at += 1
    p.found.kinds.add(Kind.ALTER)
    _view_options(p)
    p.one_of("online", "ignore")
    if p.one_of("table", "sequence"):
        _if_exists(p)
        p.relation(Role.DEFINE)
        _scan(p)
    elif p.one_of("view"):
        _if_exists(p)
        p.relation(Role.DEFINE)
        _view_body(p)
    elif p.one_of("database", "schema", *_SYSTEM):
        p.found.kinds.add(Kind.SYSTEM)
        start = p.at
        rest(p)
        hide(p, start, p.at)
    elif p.one_of("user", "role"):
        accounts.account(p)
    elif word := p.one_of("procedure", "function", "event"):
        _if_exists(p)
        p.found.also_writes.add(p.relation_name(*p.qualified()))
        if word == "event":
            p.found.kinds.add(Kind.SYSTEM)
            p.found.notes.add("code")
            body.skip(p)
        else:
            rest(p)
    else:
        raise p.fail()


def drop(p: Queries) -> None:
    """DROP."""
    if p.is_word("prepare", ahead=1):
        deallocate(p)
        return
    p.at += 1
    p.found.kinds.add(Kind.DROP)
    p.one_of("temporary")
    if p.one_of("table", "tables", "view", "sequence"):
        _drop_relations(p)
    elif p.one_of("index"):
        _if_exists(p)
        p.label()
        p.need("on")
        p.relation(Role.DEFINE)
        rest(p)
    elif p.one_of(*_CODE):
        p.word("body")
        _if_exists(p)
        p.found.also_writes.add(p.relation_name(*p.qualified()))
    elif p.one_of("user", "role"):
        p.found.kinds.add(Kind.ROLE)
        rest(p)
    elif p.one_of("database", "schema", *_SYSTEM):
        p.found.kinds.add(Kind.SYSTEM)
        rest(p)
    else:
        raise p.fail()


def _drop_relations(p: Queries) -> None:
    _if_exists(p)
    while True:
        p.relation(Role.DEFINE)
        if not p.sign(","):
            break
    p.one_of("restrict", "cascade")
    if p.word("wait"):
        p.take(Type.NUMBER)
    p.word("nowait")


def rename(p: Queries) -> None:
    """RENAME TABLE, RENAME USER."""
    p.at += 1
    p.found.kinds.add(Kind.ALTER)
    if p.word("user"):
        p.found.kinds.add(Kind.ROLE)
        rest(p)
        return
    if not p.one_of("table", "tables"):
        raise p.fail()
    _if_exists(p)
    while True:
        p.relation(Role.DEFINE)
        if p.word("wait"):
            p.take(Type.NUMBER)
        p.word("nowait")
        p.need("to")
        p.relation(Role.DEFINE)
        if not p.sign(","):
            return


def truncate(p: Queries) -> None:
    """TRUNCATE."""
    p.at += 1
    p.found.kinds.add(Kind.TRUNCATE)
    p.word("table")
    p.relation(Role.DEFINE)
    if p.word("wait"):
        p.take(Type.NUMBER)
    p.word("nowait")
