"""Rows of relations that masks have to do with, in statements that change something.

The target of a statement cannot be a sub-select, so the statement must not mention what is masked of it; and what runs
behind it (triggers, unique indexes, checks, foreign keys) must not look at masked values either.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind, Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Masked, MaskKind
from hostagent.sql.mysql.found import Found, Role, Source
from hostagent.sql.mysql.masking import system
from hostagent.sql.mysql.masking.catalog import Relation
from hostagent.sql.mysql.masking.columns import Columns, looks_at, mentions

_ROWS = frozenset({Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.COPY_FROM})
_ELSE = "let somebody without masks write it"
_WRITING = _ROWS | {Kind.CREATE}


def writes_rows(found: Found) -> bool:
    """Whether a statement stores rows somewhere."""
    return not found.kinds.isdisjoint(_WRITING)


def needed(found: Found, columns: Columns) -> set[Name]:
    """Relations that foreign keys of its targets refer to: they must be known as well."""
    if found.kinds.isdisjoint(_ROWS):
        return set()
    changed = [s.name for s in found.sources if s.role is Role.WRITE and s.name.schema not in system.SCHEMAS]
    targets = map(columns.relation, changed)
    return {key.relation for target in targets if target is not None for key in target.keys}


def check_targets(found: Found, columns: Columns) -> None:
    """Raises Refused where the relations that are changed cannot be changed safely."""
    for source in found.sources:
        if source.role is not Role.READ and source.name.schema in system.SCHEMAS:
            raise Refused(f"{source.name} is the server's own", "leave it as it is")
        if source.role is Role.WRITE and not found.kinds.isdisjoint(_ROWS):
            _check_target(found, source, columns)
        elif source.role is Role.DEFINE and columns.masked_if_known(source.name):
            if found.kinds.isdisjoint({Kind.DROP, Kind.TRUNCATE, Kind.LOCK}):
                raise Refused(f"{source.name} has masked columns", "let somebody without masks change it")
        elif source.role is Role.READ and source.block < 0 and _by_name(found) and columns.masked(source.name):
            raise Refused(f"{source.name} has masked columns", "leave it out")


def _by_name(found: Found) -> bool:
    """Statements that read a relation by its name alone, for more than its definition."""
    return not found.kinds.isdisjoint({Kind.CREATE, Kind.ALTER, Kind.MAINTENANCE}) or "show index" in found.notes


def _check_target(found: Found, source: Source, columns: Columns) -> None:
    relation = columns.relation(source.name)
    if relation is None or source.block < 0:
        return  # a temporary table; a sequence
    _check_behind(relation, columns)
    hidden = columns.masked(source.name)
    if not hidden and not relation.whole and columns.may_be_masked(source.name):
        raise Refused(f"not all columns of {source.name} are shown to this account", "grant SELECT on it")
    if not hidden:
        return
    if "explain" in found.notes:
        raise Refused(f"a plan tells of the masked columns of {source.name}", "run the statement")
    block = found.blocks[source.block]
    if Kind.COPY_FROM in found.kinds or not source.plain or len(block.sources) > 1 or block.derived:
        raise Refused(f"{source.name} has masked columns", "change it alone, by plain INSERT, UPDATE or DELETE")
    if any(item.star is not None for item in block.items):
        raise Refused(f"{source.name} has masked columns", "name the columns that are returned")
    _check_mentions(found, hidden, source, written=_may_be_written(found, relation, hidden))
    _check_looked_at(relation, hidden, deletes=Kind.DELETE in found.kinds)


def _may_be_written(found: Found, relation: Relation, hidden: Masked) -> bool:
    """Whether new rows may have values in masked columns. What is there cannot be overwritten: the number of rows that
    an UPDATE or REPLACE changed tells whether they had the value before. Nor can a guess be planted beside a hash."""
    plain = found.kinds <= {Kind.INSERT, Kind.UPDATE, Kind.SELECT} and "from query" not in found.notes
    keyed = any(key.column.lower() in hidden for key in relation.keys)
    allowed = plain and Kind.INSERT in found.kinds and not keyed
    allowed = allowed and all(mask.kind is not MaskKind.HASH for mask in hidden.values())
    if Kind.INSERT in found.kinds and "columns" not in found.notes and not allowed:
        raise Refused(f"{relation.name} has masked columns", "name the columns that are written")
    return allowed


def _check_behind(relation: Relation, columns: Columns) -> None:
    name = relation.name
    if relation.view is not None:
        raise Refused(f"{name} is a view: what is behind it cannot be seen", "write the table")
    if relation.triggers is None:
        raise Refused(f"whether {name} has triggers cannot be seen", "grant TRIGGER on it to this account")
    if relation.triggers:
        raise Refused(f"{name} has triggers: what they do cannot be seen", _ELSE)
    for key in relation.keys:
        if key.referenced.lower() in columns.masked(key.relation):
            raise Refused(f"{name} refers to a masked column of {key.relation}", _ELSE)


def _check_mentions(found: Found, hidden: Masked, source: Source, *, written: bool = False) -> None:
    for reference in found.references:
        if written and reference.clause == "into":
            continue
        for part in reference.parts:
            if not part.isascii():
                raise Refused("a column whose name is not ASCII, beside masked ones", "name other columns")
        if reference.parts[-1].lower() in hidden:
            raise Refused(f"{reference.parts[-1]} of {source.name} is masked", "name other columns")


def _check_looked_at(relation: Relation, hidden: Masked, *, deletes: bool) -> None:
    for _, names, unique in relation.indexes:
        if (unique or deletes) and looks_at(names, hidden):
            raise Refused(f"an index of {relation.name} looks at a masked column", _ELSE)
    if any(mentions(check, hidden) for check in relation.checks):
        raise Refused(f"a check of {relation.name} looks at a masked column", _ELSE)


def check_read(found: Found, source: Source, hidden: Masked) -> None:
    """Raises Refused where what is read from a masked column could be stored: a mask is no value to keep."""
    block = found.blocks[source.block] if source.block >= 0 else None
    if block is None or any(item.star is not None for item in block.items):
        raise Refused(f"what is read from {source.name} is written elsewhere", "name columns that are not masked")
    _check_mentions(found, hidden, source)
