"""Statements about the session and its transactions: SET, USE, transactions, prepared texts, locks, CALL, DO."""

from __future__ import annotations

from hostagent.sql.analysis import Kind, Name
from hostagent.sql.mysql.found import Role
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.tokens import Token, Type, Unread

_SCOPES = ("global", "session", "local", "persist", "persist_only")
_LASTING = ("global", "persist", "persist_only")
# How texts are read: never for one statement only, whose text was read before.
_READING = ("sql_mode", "character_set", "collation", "names", "lower_case")
_UTF8 = frozenset({"utf8", "utf8mb3", "utf8mb4"})
# Modes that say what is checked and stored, and not how a text is read.
_CHECKS = frozenset(
    {
        "", "error_for_division_by_zero", "no_auto_create_user", "no_auto_value_on_zero", "no_engine_substitution",
        "no_zero_date", "no_zero_in_date", "only_full_group_by", "strict_all_tables", "strict_trans_tables",
        "traditional",
    }
)  # fmt: skip


def use(p: Queries) -> None:
    """USE: another default database."""
    p.at += 1
    p.found.kinds.add(Kind.SET)
    p.found.settings.add("database")
    p.name()


def set_(p: Queries) -> None:
    """SET in all its forms."""
    p.at += 1
    p.found.kinds.add(Kind.SET)
    if p.word("statement"):
        _set_statement(p)
        return
    while True:
        _setting(p)
        if not p.sign(","):
            return


def _set_statement(p: Queries) -> None:
    """SET STATEMENT a = 1 FOR …: what follows is read by the caller."""
    while True:
        name = p.label().lower()
        if name.startswith(_READING):
            raise Unread(f"the setting {name} changes how statements are read")
        p.found.settings.add(name)
        p.need_sign("=")
        _value(p)
        if not p.sign(","):
            break
    p.need("for")
    p.found.notes.add("statement follows")


def _setting(p: Queries) -> None:
    token = p.peek()
    if token.type is Type.VARIABLE:
        p.at += 1
        p.found.assigned.add(token.value)
        _assign(p)
    elif token.type is Type.SYSTEM:
        p.at += 1
        *scope, name = token.value.split(".")
        if p.is_sign(".") or (scope and scope[0] not in _SCOPES):
            raise Unread("a part of a structured variable is refused")
        _named(p, scope[0] if scope else "", name)
    elif p.is_word("names") and not _assigned(p):
        p.at += 1
        _charset(p, "names")
    elif p.is_word("charset", "character") and not _assigned(p):
        if p.one_of("charset", "character") == "character":
            p.need("set")
        _charset(p, "character_set")
    elif p.is_word("password") and not p.is_sign(".", ahead=1):
        _password(p)
    elif p.word("default", "role"):
        p.found.kinds.add(Kind.ROLE)
        rest(p)
    elif p.is_word("role") and not _assigned(p):
        p.at += 1
        p.found.settings.add("role")
        rest(p)
    elif p.word("resource", "group"):
        p.found.kinds.add(Kind.SYSTEM)
        rest(p)
    else:
        _plain(p)


def _assigned(p: Queries) -> bool:
    return p.is_sign("=", ahead=1) or p.is_sign(":=", ahead=1)


def _plain(p: Queries) -> None:
    scope = "" if _assigned(p) else p.one_of(*_SCOPES)
    if p.word("transaction"):
        _transaction(p, scope)
        return
    name = p.label().lower()
    if p.is_sign("."):
        raise Unread("a part of a structured variable is refused")
    _named(p, scope, name)


def _named(p: Queries, scope: str, name: str) -> None:
    if scope in _LASTING:
        p.found.kinds.add(Kind.SYSTEM)
    _assignment(p)
    p.found.settings.add(name if scope in _LASTING else _by_value(p, name))
    _value(p)


def _by_value(p: Queries, name: str) -> str:
    """The setting, or the name of what this value makes of it: one that every client may choose."""
    token = p.peek()
    if not _is_one_token(p) or token.type not in (Type.STRING, Type.WORD):
        return name
    value = token.value.lower()
    if name.startswith("character_set_") and value in _UTF8:
        return "character_set_utf8"
    if name == "character_set_results" and value in ("binary", "null"):
        return "character_set_as_stored"  # of results only, as dumps have it
    return "sql_mode_checks" if name == "sql_mode" and _CHECKS.issuperset(value.split(",")) else name


def _assign(p: Queries) -> None:
    _assignment(p)
    _value(p)


def _assignment(p: Queries) -> None:
    if not p.sign(":="):
        p.need_sign("=")


def _is_one_token(p: Queries) -> bool:
    after = p.peek(1)
    if after.type is Type.SIGN:
        return after.value in (",", ";")
    return after.type is Type.END or p.is_word("for", ahead=1)


def _value(p: Queries) -> None:
    if _is_one_token(p) and p.peek().type is Type.WORD:
        p.at += 1  # ON, OFF, DEFAULT, utf8mb4, READ_COMMITTED …
    else:
        p.expression()


def _charset(p: Queries, name: str) -> None:
    token = p.peek()
    if token.type is Type.STRING:
        p.at += 1
    else:
        p.label()
    p.found.settings.add(f"{name}_utf8" if token.value.lower() in _UTF8 else name)
    if p.word("collate"):
        p.take(Type.STRING) if p.peek().type is Type.STRING else p.label()


def _password(p: Queries) -> None:
    p.at += 1
    p.found.kinds.update((Kind.ALTER, Kind.ROLE))
    start = p.at
    rest(p)
    hide(p, start, p.at)


def _transaction(p: Queries, scope: str) -> None:
    if scope in _LASTING:
        p.found.kinds.add(Kind.SYSTEM)
    while True:
        if p.word("isolation", "level"):
            p.found.settings.add("transaction_isolation")
            if not (p.word("read") and p.one_of("committed", "uncommitted")) and not p.word("repeatable", "read"):
                p.need("serializable")
        else:
            p.need("read")
            p.found.settings.add("transaction_read_only")
            if not p.one_of("only", "write"):
                raise p.fail()
        if not p.sign(","):
            return


def transaction(p: Queries) -> None:
    """START TRANSACTION, BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE SAVEPOINT."""
    p.found.kinds.add(Kind.TRANSACTION)
    word = p.one_of("start", "begin", "commit", "rollback", "savepoint", "release")
    if word == "start":
        p.need("transaction")
        while p.one_of("with", "consistent", "snapshot", "read", "only", "write") or p.sign(","):
            pass
    elif word == "begin":
        if p.is_word("not"):
            raise Unread("BEGIN NOT ATOMIC is refused")
        p.word("work")
    elif word == "savepoint":
        p.name()
    elif word == "release":
        p.need("savepoint")
        p.name()
    else:
        p.word("work")
        if word == "rollback" and p.word("to"):
            p.word("savepoint")
            p.name()
        while p.one_of("and", "no", "chain", "release"):
            pass


def xa(p: Queries) -> None:
    """XA."""
    p.at += 1
    p.found.kinds.add(Kind.TRANSACTION)
    if p.word("recover"):
        p.found.kinds.update((Kind.SHOW, Kind.SYSTEM))
    elif not p.one_of("start", "begin", "end", "prepare", "commit", "rollback"):
        raise p.fail()
    rest(p)


def prepare(p: Queries) -> Token | None:
    """PREPARE name FROM 'text': the text, for the caller to read."""
    p.at += 1
    p.found.kinds.add(Kind.PREPARE)
    p.name()
    p.need("from")
    return _literal(p)


def execute(p: Queries) -> Token | None:
    """EXECUTE name, or EXECUTE IMMEDIATE 'text': the text, for the caller to read."""
    p.at += 1
    p.found.kinds.add(Kind.EXECUTE)
    text = None
    if p.is_word("immediate") and not p.is_word("using", ahead=1) and p.peek(1).type is not Type.END:
        p.at += 1
        text = _literal(p)
    else:
        p.name()
    if p.word("using"):
        p.expressions()
    return text


def _literal(p: Queries) -> Token:
    token = p.peek()
    p.at += 1
    if token.type is not Type.STRING or (not p.ends() and not p.is_word("using")):
        raise Unread("a text that is prepared must stand there as one literal")
    return token


def deallocate(p: Queries) -> None:
    """DEALLOCATE PREPARE, DROP PREPARE."""
    p.at += 1
    p.need("prepare")
    p.found.kinds.add(Kind.DEALLOCATE)
    p.name()


def lock(p: Queries) -> None:
    """LOCK TABLES."""
    p.at += 1
    if not p.one_of("tables", "table"):
        raise p.fail()
    p.found.kinds.add(Kind.LOCK)
    while True:
        p.relation(Role.WRITE)
        if p.word("as") or p.is_name():
            p.name()
        p.one_of("low_priority")
        if p.word("read"):
            p.one_of("local")
        elif not (p.word("write") and (p.word("concurrent") or True)):
            raise p.fail()
        if not p.sign(","):
            break
    if p.word("wait"):
        p.take(Type.NUMBER)
    else:
        p.word("nowait")


def unlock(p: Queries) -> None:
    """UNLOCK TABLES."""
    p.at += 1
    if not p.one_of("tables", "table"):
        raise p.fail()
    p.found.kinds.add(Kind.LOCK)


def call(p: Queries) -> None:
    """CALL."""
    p.at += 1
    p.found.kinds.add(Kind.CALL)
    schema, name = p.qualified()
    p.found.functions.add(Name(schema or p.settings.database, name.lower()))
    if p.is_sign("."):
        raise p.fail()
    if p.sign("(") and not p.sign(")"):
        p.expressions()
        p.need_sign(")")


def do(p: Queries) -> None:
    """DO: expressions, of which nothing is shown."""
    p.at += 1
    p.found.kinds.add(Kind.SELECT)
    p.expressions()


def kill(p: Queries) -> None:
    """KILL."""
    p.at += 1
    p.found.kinds.add(Kind.SYSTEM)
    p.one_of("hard", "soft")
    p.one_of("connection", "query")
    p.word("id")
    if not p.word("user"):
        p.expression()
    else:
        rest(p)


def rest(p: Queries) -> None:
    """Takes everything to the end of the statement, in which no query and no body may stand."""
    while not p.ends():
        if p.is_word("select", "begin", "from"):
            raise p.fail()
        p.at += 1


def hide(p: Queries, start: int, end: int) -> None:
    """Notes the literals of these tokens as secret."""
    p.found.secret.update(i for i in range(start, end) if p.tokens[i].type in (Type.STRING, Type.NUMBER))
