"""The code of a routine, trigger or event: where it ends. What is in it is not looked at.

Its semicolons are not those between statements. Whoever finds its end too late takes a second statement for code, so
BEGIN counts only where a statement begins, END only where one ends, and whatever does not pair is refused.
"""

from __future__ import annotations

from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.tokens import Token, Type

_CONDITIONS = frozenset({"sqlexception", "sqlwarning", "not", "found", "sqlstate", "value"})
# With one of these before it, a BEGIN may be an alias in a statement that is the whole code.
_STATEMENT_WORDS = """
    alter analyze binlog cache call case change check close commit create deallocate declare delete describe drop
    execute explain fetch flush get grant handler help if insert install iterate kill leave load lock loop open optimize
    prepare purge rename repair repeat replace reset resignal return revoke rollback savepoint select set show shutdown
    signal start stop table truncate undo uninstall unlock update use values while with xa
"""
_STATEMENTS = frozenset(_STATEMENT_WORDS.split())


def skip(p: Queries) -> None:
    """Takes everything to the end of the code. Without BEGIN that is the next semicolon."""
    first = p.at
    while not p.ends() and not p.is_word("begin"):
        p.at += 1
    if p.ends():
        return
    start = p.at
    if not _opens_body(p.tokens, first, start):
        raise p.fail()
    _block(p, start)


def _opens_body(tokens: list[Token], first: int, at: int) -> bool:
    """Whether the first BEGIN begins the code: nothing before it can have it as an alias."""
    words = {t.value for t in tokens[first:at] if t.type is Type.WORD}
    return words.isdisjoint(_STATEMENTS) and ("do" not in words or tokens[at - 1].value == "do")


def _block(p: Queries, start: int) -> None:
    open_: list[str] = []
    statement = start  # where the current statement begins
    while p.peek().type is not Type.END:
        token = p.peek()
        if token.type is Type.SIGN and token.value in (";", ":"):
            statement = p.at + 1
        elif token.type is Type.WORD and not _after_dot(p):
            if token.value == "begin":
                if p.at != statement and not _in_handler(p.tokens, statement, p.at):
                    raise p.fail()
                open_.append("begin")
                statement = p.at + 1
            elif token.value == "case" and not (p.at == statement + 1 and p.tokens[statement].value == "end"):
                open_.append("case")
            elif token.value == "end":
                _close(p, open_, statement)
            elif token.value in ("then", "else", "loop", "repeat") and not _expression(open_):
                statement = p.at + 1
        p.at += 1
        if not open_:
            break
    if p.peek().type in (Type.WORD, Type.QUOTED):
        p.name()  # the label
    if open_ or not p.ends():
        raise p.fail()


def _expression(open_: list[str]) -> bool:
    return bool(open_) and open_[-1] == "case"


def _close(p: Queries, open_: list[str], statement: int) -> None:
    if p.is_word("if", "loop", "while", "repeat", "for", ahead=1) and p.at == statement:
        p.at += 1
        return
    if not open_ or (open_[-1] == "begin" and p.at != statement):
        raise p.fail()
    if open_.pop() == "case" and p.is_word("case", ahead=1):
        p.at += 1


def _after_dot(p: Queries) -> bool:
    before = p.tokens[p.at - 1]
    return before.type is Type.SIGN and before.value == "."


def _in_handler(tokens: list[Token], statement: int, at: int) -> bool:
    """DECLARE … HANDLER FOR conditions BEGIN."""
    words = [t.value for t in tokens[statement : statement + 4]]
    if len(words) < 4 or words[0] != "declare" or words[2:] != ["handler", "for"]:
        return False
    return all(
        t.type in (Type.STRING, Type.NUMBER) or t.value in _CONDITIONS or t.value == ","
        for t in tokens[statement + 4 : at]
    )
