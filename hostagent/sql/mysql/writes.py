"""Statements that change rows: INSERT, REPLACE, UPDATE, DELETE, LOAD DATA."""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql.found import Block, Reference, Role, Source
from hostagent.sql.mysql.queries import Queries
from hostagent.sql.mysql.tokens import Type

_PLAIN = frozenset({Type.STRING, Type.NUMBER, Type.HOLE})
_PLAIN_VALUES = frozenset({"(", ")", ",", "-", "null", "default", "true", "false"})


def insert(p: Queries) -> None:
    """INSERT and REPLACE, with all that may follow."""
    first = p.at
    p.found.kinds.add(Kind.INSERT)
    if p.one_of("insert", "replace") == "replace":
        p.found.kinds.add(Kind.DELETE)
    _options(p, "low_priority", "delayed", "high_priority", "ignore")
    p.word("into")
    target = _target(p)
    if p.word("partition"):
        p.names()
        target.plain = False
    if p.is_sign("(") and not _query_follows(p):
        for name in p.names():
            p.found.references.append(Reference((name,), target.first, p.block, "into"))
        p.found.notes.add("columns")
    _rows(p)
    if p.word("as"):
        p.found.blocks[p.block].derived.append(p.name())
        if p.is_sign("("):
            p.names()
    if p.word("on", "duplicate", "key", "update"):
        p.found.kinds.add(Kind.UPDATE)
        p.found.also_reads.add(target.name)
        p.clause, p.updating = "update", True
        assignments(p, "update")
        p.updating = False
    returning(p, target)
    p.found.rows.append((first, p.at))


def _options(p: Queries, *words: str) -> None:
    while p.one_of(*words):
        p.found.noise.add(p.at - 1)


def _target(p: Queries) -> Source:
    block = Block(p.block, p.at)
    p.found.blocks.append(block)
    p.block = len(p.found.blocks) - 1
    target = p.relation(Role.WRITE, p.block)
    block.sources.append(target)
    return target


def _query_follows(p: Queries) -> bool:
    ahead = 1
    while p.is_sign("(", ahead=ahead):
        ahead += 1
    return p.starts_query(ahead)


def _rows(p: Queries) -> None:
    p.clause = "values"
    if p.is_word("values", "value"):
        p.at += 1
        rows = 0
        while True:
            first = p.at
            p.word("row")
            p.need_sign("(")
            if not p.is_sign(")"):
                p.expressions()
            p.need_sign(")")
            if rows and _is_plain(p, first):
                p.found.noise.update(range(first - 1, p.at))
            rows += 1
            if not p.sign(","):
                return
    elif p.word("set"):
        p.found.notes.add("columns")
        assignments(p, "into")
    else:
        p.found.notes.add("from query")
        p.query()


def _is_plain(p: Queries, first: int) -> bool:
    """Whether a row has nothing but literals in it: there can be thousands, and nothing to be read otherwise."""
    return all(t.type in _PLAIN or t.value in _PLAIN_VALUES for t in p.tokens[first : p.at])


def assignments(p: Queries, clause: str = "set") -> None:
    """Takes `column = expression, …`; the columns are noted under that clause."""
    while True:
        first = p.at
        parts = [p.name()]
        while p.is_sign(".") and len(parts) < 3:
            p.at += 1
            parts.append(p.label())
        p.found.references.append(Reference(tuple(parts), first, p.block, clause))
        if not p.sign("="):
            p.need_sign(":=")
        p.expression()
        if not p.sign(","):
            return


def returning(p: Queries, target: Source) -> None:
    """Takes RETURNING, which reads what was written."""
    if p.word("returning"):
        p.found.also_reads.add(target.name)
        p.found.notes.add("returning")
        p.clause = "returning"
        p.items()


def update(p: Queries) -> None:
    """UPDATE of one relation or of several."""
    first = p.at
    p.at += 1
    p.found.kinds.add(Kind.UPDATE)
    _options(p, "low_priority", "ignore")
    block = Block(p.block, p.at)
    p.found.blocks.append(block)
    p.block = len(p.found.blocks) - 1
    p.clause = "from"
    p.references()
    p.need("set")
    p.clause = "values"
    at = len(p.found.references)
    assignments(p)
    _updated(p, block, [r for r in p.found.references[at:] if r.clause == "set" and r.block == p.block])
    _filter(p)
    p.found.rows.append((first, p.at))


def _updated(p: Queries, block: Block, assigned: list[Reference]) -> None:
    """The relations that are assigned to: all of them where a column could be of any."""
    several = len(block.sources) > 1 or bool(block.derived)
    for source in block.sources:
        if not several or any(_may_be(r, source) for r in assigned):
            source.role = Role.WRITE
            if several:
                p.found.also_reads.add(source.name)


def _may_be(reference: Reference, source: Source) -> bool:
    return len(reference.parts) == 1 or reference.parts[-2].lower() == source.alias.lower()


def _filter(p: Queries) -> None:
    if p.word("where"):
        p.clause = "where"
        p.expression()
        p.found.also_reads.update(s.name for s in p.found.sources if s.role is Role.WRITE)
        p.found.notes.add("where")
    if p.word("order", "by"):
        p.clause = "order"
        p.order_list()
        p.found.notes.add("order")
    if p.word("limit"):
        p.limit()


def delete(p: Queries) -> None:
    """DELETE from one relation or from several."""
    first = p.at
    _delete(p)
    p.found.rows.append((first, p.at))


def _delete(p: Queries) -> None:
    p.at += 1
    p.found.kinds.add(Kind.DELETE)
    _options(p, "low_priority", "quick", "ignore")
    block = Block(p.block, p.at)
    p.found.blocks.append(block)
    p.block = len(p.found.blocks) - 1
    if not p.word("from"):
        names = _deleted(p)
        p.need("from")
        _from_several(p, block, names)
        return
    at = p.at
    names = _deleted(p)
    if p.word("using"):
        _from_several(p, block, names)
        return
    p.at = at
    p.found.deleted.clear()
    target = p.relation(Role.WRITE, p.block)
    p.decorations(target)
    block.sources.append(target)
    _filter(p)
    returning(p, target)


def _deleted(p: Queries) -> list[tuple[str, str]]:
    """Takes `[db.]t[.*], …`."""
    found = []
    while True:
        p.found.deleted.add(p.at)
        schema, name = p.name(), ""
        if p.is_sign(".") and not p.is_sign("*", ahead=1):
            p.at += 1
            p.found.deleted.add(p.at)
            name = p.label()
        found.append((schema, name) if name else ("", schema))
        if p.sign("."):
            p.need_sign("*")
        if not p.sign(","):
            return found


def _from_several(p: Queries, block: Block, names: list[tuple[str, str]]) -> None:
    p.clause = "from"
    p.references()
    for schema, name in names:
        meant = [s for s in block.sources if s.alias.lower() == name.lower()]
        if schema or len(meant) != 1:
            wanted = p.relation_name(schema, name)
            meant = [s for s in block.sources if s.name == wanted]
        if not meant:
            raise p.fail()
        for source in meant:
            source.role = Role.WRITE
            p.found.also_reads.add(source.name)
    _filter(p)


def load(p: Queries) -> None:
    """LOAD DATA and LOAD XML: from the client with LOCAL, else from a file of the server."""
    p.at += 1
    if not p.one_of("data", "xml"):
        p.found.kinds.add(Kind.SYSTEM)
        raise p.fail()
    p.one_of("low_priority", "concurrent")
    p.found.kinds.update({Kind.COPY_FROM if p.word("local") else Kind.SERVER_FILE, Kind.INSERT})
    p.need("infile")
    p.take(Type.STRING)
    if p.one_of("replace", "ignore") == "replace":
        p.found.kinds.add(Kind.DELETE)
    p.need("into", "table")
    target = _target(p)
    if p.word("partition"):
        p.names()
    p.file_format()
    if p.word("rows", "identified", "by"):
        p.take(Type.STRING)
    p.file_format()
    if p.word("ignore"):
        p.take(Type.NUMBER)
        p.one_of("lines", "rows")
    if p.sign("("):
        _loaded(p)
    if p.word("set"):
        p.clause = "values"
        assignments(p)
    target.plain = False


def _loaded(p: Queries) -> None:
    while not p.sign(")"):
        if p.peek().type is Type.VARIABLE:
            p.found.assigned.add(p.take(Type.VARIABLE).value)
        else:
            p.name()
        if not p.is_sign(")"):
            p.need_sign(",")
