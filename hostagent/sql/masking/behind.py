"""What runs behind a statement without being named in it: triggers, defaults, checks, row security, casts, domains.

Whoever made these could read anything in them, so each function that they call has to be pg_catalog's, of an extension
that only computes, or one that policy vouches for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hostagent.sql.analysis import Name
from hostagent.sql.masking.catalog import Catalog, Relation, Routine, TypeUse
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.routines import is_trusted
from hostagent.sql.masking.sites import Statement
from hostagent.sql.masking.values import Masks


def check_read(relation: Relation, catalog: Catalog, masks: Masks) -> None:
    """Raises Refused where reading a relation, or what a view is made of, calls a function nobody vouches for."""
    for one in _made_of(relation, catalog):
        _check(one.runs_on_read, f"reading {one.full}", masks)
        names = {one.full, *one.types}
        _check((u.function for u in catalog.types if u.casts and u.type in names), f"a cast of {one.full}", masks)


def check_write(relation: Relation, catalog: Catalog, masks: Masks) -> None:
    """The same for writing it."""
    for one in _made_of(relation, catalog):
        _check(one.runs_on_write, f"writing {one.full}", masks)
        names = {one.full, *one.types}
        _check((use.function for use in catalog.types if use.type in names), f"writing {one.full}", masks)


def check_types(statement: Statement, catalog: Catalog, masks: Masks) -> None:
    """The same for the types that a statement names, of arrays their elements', and for casts between the server's."""
    for use in catalog.types:
        if use.type.schema != "pg_catalog" and not statement.types.isdisjoint({use.type, Name("", use.type.name)}):
            _check([use.function], f"the type {use.type}", masks)
    _check((use.function for use in _between_own(catalog.types)), "a cast", masks)


def _between_own(uses: Iterable[TypeUse]) -> Iterator[TypeUse]:
    """Casts that any statement may use: no type of theirs is anybody's."""
    casts = [use for use in uses if use.casts]
    made = {(use.function.schema, use.function.name) for use in casts if use.type.schema != "pg_catalog"}
    return (use for use in casts if (use.function.schema, use.function.name) not in made)


def _made_of(relation: Relation, catalog: Catalog) -> Iterator[Relation]:
    seen: set[int] = set()
    waiting = [relation.oid]
    while waiting:
        oid = waiting.pop()
        one = catalog.relations.get(oid)
        if one is None or oid in seen or one.is_system:
            continue
        seen.add(oid)
        waiting += one.uses
        yield one


def _check(routines: Iterable[Routine], where: str, masks: Masks) -> None:
    for routine in routines:
        if not is_trusted(routine, masks):
            raise Refused(
                f"{where} calls the function {routine.schema}.{routine.name}, which may read masked columns",
                "have it listed under `functions` of the mask, if it does not",
            )
