"""Upkeep of tables and the server: ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR, FLUSH; what only administrators do."""

from __future__ import annotations

from collections.abc import Callable

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql.found import Role
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.session import hide, rest


def is_analyze_table(p: Queries) -> bool:
    """ANALYZE TABLE is upkeep; MariaDB's ANALYZE of a statement is not."""
    return p.is_word("table", "tables", "local", "no_write_to_binlog", ahead=1)


def table(p: Queries) -> None:
    """ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR TABLE."""
    word = p.one_of("analyze", "check", "checksum", "optimize", "repair")
    p.found.kinds.add(Kind.MAINTENANCE)
    p.one_of("local", "no_write_to_binlog")
    if p.word("view"):
        pass
    elif not p.one_of("table", "tables"):
        raise p.fail()
    if word == "checksum":
        p.found.notes.add("checksum")
    while True:
        p.relation(Role.READ if word == "checksum" else Role.DEFINE)
        if not p.sign(","):
            break
    rest(p)


def flush(p: Queries) -> None:
    """FLUSH."""
    p.at += 1
    p.found.kinds.add(Kind.MAINTENANCE)
    p.one_of("local", "no_write_to_binlog")
    if p.one_of("table", "tables"):
        if p.is_name() and not p.is_word("with", "for"):
            while True:
                p.relation(Role.DEFINE)
                if not p.sign(","):
                    break
        if p.is_word("with", "for"):
            p.found.kinds.add(Kind.LOCK)
    else:
        p.found.kinds.add(Kind.SYSTEM)
    rest(p)


def system(p: Queries) -> None:
    """What acts on the server or its replication as a whole."""
    p.found.kinds.add(Kind.SYSTEM)
    start = p.at
    rest(p)
    hide(p, start, p.at)


def replication(p: Queries) -> None:
    """START, STOP, CHANGE … of replication."""
    if not p.is_word("slave", "replica", "all", "group_replication", "master", "replication", ahead=1):
        raise p.fail()
    system(p)


HANDLERS: dict[str, Callable[[Queries], None]] = {
    "analyze": table,
    "backup": system,
    "cache": system,
    "change": replication,
    "check": table,
    "checksum": table,
    "flush": flush,
    "help": system,
    "install": system,
    "optimize": table,
    "purge": system,
    "repair": table,
    "reset": system,
    "restart": system,
    "shutdown": system,
    "stop": replication,
    "uninstall": system,
}
