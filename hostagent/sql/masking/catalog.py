"""Catalog: what the server says of the relations, functions and operators of a text, decoded strictly.

The answer to `query.catalog_query`, one JSON text. It comes from a server that may lie only about its own data: a shape
that is not expected, or too much of it, is CatalogError, and the statement is then denied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hostagent.sql.analysis import Name

MAX_TEXT = 8 << 20  # characters of the whole answer: some thousand partitions
MAX_COLUMNS = 1664  # PostgreSQL's own limit of a target list (access/htup_details.h, MaxTupleAttributeNumber)

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})


class CatalogError(ValueError):
    """The answer is not what the catalog query gives."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `type` is SQL for its type with its modifier, schema-qualified, domains resolved; `bare` without.

    `category` is pg_type.typcategory; `collation` SQL for a collation that is not the type's own, or empty.
    `made_from`: the columns that a generated column is computed from. `readable`: whether the session's role may.
    """

    number: int
    name: str
    type: str
    bare: str
    category: str
    not_null: bool
    collation: str
    generated: bool
    made_from: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or operator outside pg_catalog. `takes_row`: a function that can be called as `row.name`. `own_type`:
    an operator with an operand of a type outside pg_catalog."""

    schema: str
    name: str
    visible: bool
    extension: str
    takes_row: bool = False
    own_type: bool = False


@dataclass(frozen=True, slots=True)
class TypeUse:
    """A function that using a type may call: by a cast from or to it (`casts`), or by a check of a domain in it."""

    type: Name
    casts: bool
    function: Routine


@dataclass(frozen=True, slots=True)
class Constraint:
    """What looks at columns when a row is written. `kind`: `u` an index that compares or computes, `c` check, `f` key.

    A foreign key (`f`) refers to `other_columns` of the relation `other`.
    """

    kind: str
    columns: frozenset[str]
    other: Name | None = None
    other_columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation. `kind` is pg_class.relkind. Those of the system schemas come without columns.

    `definition` is the text of a view, `uses` the oids of relations that it depends on. `family` are all relations
    connected with it by inheritance or partitioning, parents and children. `policies` are the row security expressions
    in force. `rules`: whether it has any of a user's. `types` are those of its columns that are not the server's.

    `runs_on_read` are functions outside pg_catalog that a view's definition or row security calls, casts and operators
    included; `runs_on_write` those of triggers, defaults, checks and indexes of the whole family.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...] = ()
    definition: str = ""
    uses: tuple[int, ...] = ()
    family: tuple[Name, ...] = ()
    policies: tuple[str, ...] = ()
    rules: bool = False
    runs_on_read: tuple[Routine, ...] = ()
    runs_on_write: tuple[Routine, ...] = ()
    types: tuple[Name, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @property
    def full(self) -> Name:
        """Its qualified name."""
        return Name(self.schema, self.name)

    @property
    def is_system(self) -> bool:
        """Whether it belongs to the server."""
        return self.schema in SYSTEM_SCHEMAS


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is known. `found` says what each name that was asked means: an oid, or None for no such relation.

    `schemas` are those that the session looks in, implicit ones too, in order.
    """

    schemas: tuple[str, ...] = ()
    found: dict[Name, int | None] = field(default_factory=dict)
    relations: dict[int, Relation] = field(default_factory=dict)
    functions: dict[str, tuple[Routine, ...]] = field(default_factory=dict)
    operators: dict[str, tuple[Routine, ...]] = field(default_factory=dict)
    types: tuple[TypeUse, ...] = ()
    answered: bool = False  # it is the server's answer

    def relation(self, name: Name) -> Relation | None:
        """The relation that a name means. Raises KeyError when it was not asked for."""
        oid = self.found[name]
        return None if oid is None else self.relations[oid]


def decode(text: str) -> Catalog:
    """The catalog that the answer of the catalog query describes. Raises CatalogError on anything else."""
    if len(text) > MAX_TEXT:
        raise CatalogError(f"more than {MAX_TEXT} characters")
    try:
        data = json.loads(text)
        return Catalog(
            schemas=tuple(_texts(data["schemas"])),
            found={Name(_text(s), _text(n)): None if oid is None else _oid(oid) for s, n, oid in data["found"]},
            relations={r.oid: r for r in map(_relation, data["relations"])},
            functions=_routines(data["functions"], "takes_row"),
            operators=_routines(data["operators"], "own_type"),
            types=tuple(map(_type_use, data["types"])),
            answered=True,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise CatalogError(f"not a catalog: {type(error).__name__}") from None


def _relation(data: dict[str, Any]) -> Relation:
    columns = tuple(map(_column, data["columns"] or ()))
    if len(columns) > MAX_COLUMNS:
        raise CatalogError("too many columns")
    return Relation(
        oid=_oid(data["oid"]),
        schema=_text(data["schema"]),
        name=_text(data["name"]),
        kind=_text(data["kind"]),
        columns=columns,
        definition=_text(data["definition"] or ""),
        uses=tuple(map(_oid, data["uses"] or ())),
        family=tuple(Name(_text(s), _text(n)) for s, n in data["family"] or ()),
        policies=tuple(_texts(data["policies"] or ())),
        rules=_flag(data["rules"]),
        runs_on_read=_behind(data["runs_on_read"]),
        runs_on_write=_behind(data["runs_on_write"]),
        types=tuple(Name(_text(s), _text(n)) for s, n in data["types"] or ()),
        constraints=tuple(map(_constraint, data["constraints"] or ())),
    )


def _constraint(data: list[Any]) -> Constraint:
    kind, columns, other_schema, other_name, others = data
    other = None if other_schema is None else Name(_text(other_schema), _text(other_name))
    return Constraint(_text(kind), frozenset(_texts(columns)), other, frozenset(_texts(others or ())))


def _column(data: list[Any]) -> Column:
    number, name, type_, bare, category, not_null, collation, generated, made_from, readable = data
    return Column(
        _oid(number), _text(name), _text(type_), _text(bare), _text(category), _flag(not_null),
        _text(collation or ""), _flag(generated), tuple(_texts(made_from or ())),
        _flag(readable),
    )  # fmt: skip


def _routines(data: list[Any], flag: str) -> dict[str, tuple[Routine, ...]]:
    found: dict[str, tuple[Routine, ...]] = {}
    for name, rows in data:
        found[_text(name)] = tuple(
            Routine(_text(schema), name, _flag(visible), _text(extension or ""), **{flag: _flag(value)})
            for schema, visible, extension, value in rows or ()
        )
    return found


def _behind(data: list[Any] | None) -> tuple[Routine, ...]:
    return tuple(
        Routine(_text(schema), _text(name), True, _text(extension or "")) for schema, name, extension in data or ()
    )


def _type_use(data: list[Any]) -> TypeUse:
    schema, name, casts, *function = data
    return TypeUse(Name(_text(schema), _text(name)), _flag(casts), *_behind([function]))


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("a text")
    return value


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values]


def _oid(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise TypeError("an oid")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a flag")
    return value
