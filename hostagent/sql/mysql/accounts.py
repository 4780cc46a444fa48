"""Statements about accounts: CREATE and ALTER USER and ROLE, GRANT, REVOKE. Passwords are noted, to be hidden."""

from __future__ import annotations

from hostagent.sql.analysis import Kind, Name
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.session import rest
from hostagent.sql.mysql.tokens import Type

_SECRET = frozenset({"by", "as", "password", "using", "replace", "auth_string"})


def user(p: Queries) -> None:
    """Takes an account: a name or CURRENT_USER, and perhaps a host."""
    if p.one_of("current_user", "current_role"):
        if p.sign("("):
            p.need_sign(")")
        return
    p.at += 1 if p.peek().type is Type.STRING else 0
    if p.tokens[p.at - 1].type is not Type.STRING:
        p.name()
    if p.peek().type is Type.VARIABLE and p.peek().glued:
        p.at += 1


def account(p: Queries) -> None:
    """The rest of CREATE and ALTER USER and ROLE."""
    p.found.kinds.add(Kind.ROLE)
    _hidden_rest(p)


def _hidden_rest(p: Queries) -> None:
    start = p.at
    rest(p)
    announced = False
    for index in range(start, p.at):
        token = p.tokens[index]
        if token.type is Type.WORD:
            announced = token.value in _SECRET or (announced and token.value in ("x", "n"))
        elif token.type is Type.STRING and announced:
            p.found.secret.add(index)


def grant(p: Queries) -> None:
    """GRANT and REVOKE: of privileges on something, or of roles."""
    granted = p.one_of("grant", "revoke") == "grant"
    p.found.kinds.add(Kind.GRANT if granted else Kind.REVOKE)
    depth = 0
    while not p.ends() and not (depth == 0 and p.is_word("on", "to", "from")):
        depth += p.is_sign("(") - p.is_sign(")")
        p.at += 1
    if p.word("on"):
        _level(p)
    else:
        p.found.kinds.add(Kind.ROLE)
    if not p.one_of("to", "from"):
        raise p.fail()
    _hidden_rest(p)


def _level(p: Queries) -> None:
    """What a privilege is on: `*.*`, `db.*`, `*`, or an object."""
    if not p.is_sign(".", ahead=1):
        p.one_of("table", "function", "procedure", "package")
        p.word("body")
    if p.sign("*"):
        if p.sign("."):
            p.need_sign("*")
            p.found.kinds.add(Kind.SYSTEM)
        else:
            p.found.also_writes.add(Name(p.settings.database, "*"))
        return
    first = p.name()
    if not p.sign("."):
        p.found.also_writes.add(p.relation_name("", first))
    elif p.sign("*"):
        p.found.also_writes.add(Name(first, "*"))
    else:
        p.found.also_writes.add(p.relation_name(first, p.label()))
