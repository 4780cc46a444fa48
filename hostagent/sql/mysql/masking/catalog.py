"""What the server said of relations: the answer to `query.catalog_query`, decoded. What is cut short is no catalog."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hostagent.sql.analysis import Name
from hostagent.sql.masking.refusal import Refused


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `type` is the name of its type alone, `full` all of it. `generated` is its expression, or empty."""

    name: str
    type: str
    full: str
    precision: int
    scale: int
    hidden: bool
    generated: str


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key's part: a column here, and the relation and column it refers to."""

    column: str
    relation: Name
    referenced: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation. `view`: its definition, None for a table, empty where it is not shown to this session.

    `indexes`: (name, columns in lower case, unique); a column "" is an expression, which could look at any.
    `triggers`: how many; None where the session could not see them. `whole`: all of its columns are shown.
    """

    name: Name
    columns: tuple[Column, ...]
    view: str | None
    indexes: tuple[tuple[str, frozenset[str], bool], ...]
    keys: tuple[Key, ...]
    checks: tuple[str, ...]
    triggers: int | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Catalog:
    """Relations by name; None for one that the server does not have, or does not show."""

    found: dict[Name, Relation | None] = field(default_factory=dict)


def decode(answer: str) -> Catalog:
    """The catalog of an answer. Raises ValueError, TypeError or KeyError on another shape, Refused on a cut one."""
    rows = json.loads(bytes.fromhex(answer).decode())
    found: dict[Name, Relation | None] = {}
    for row in rows:
        name = Name(str(row[0]), str(row[1]))
        found[name] = None if row[2] is None else _relation(name, row)
    return Catalog(found)


def _relation(name: Name, row: list[Any]) -> Relation:
    kind, view, columns, keys, foreign, checks = row[2], row[3], *(_rows(row, at) for at in (4, 6, 8, 10))
    same = [c for c in columns if _same(name, c[0])]
    indexes: dict[str, tuple[set[str], bool]] = {}
    for table, index, non_unique, column in keys:
        if _same(name, table):
            indexes.setdefault(str(index), (set(), not int(non_unique)))[0].add(str(column or "").lower())
    triggers, seen = int(row[12]), int(row[13])
    return Relation(
        name,
        tuple(_column(c) for c in sorted(same, key=lambda c: int(c[1]))),
        str(view or "") if "VIEW" in str(kind) and name.schema != "information_schema" else None,
        tuple((index, frozenset(names), unique) for index, (names, unique) in indexes.items()),
        tuple(Key(str(k[1]), Name(str(k[2]), str(k[3])), str(k[4])) for k in foreign if _same(name, k[0])),
        tuple(str(c[0]) for c in checks),
        triggers if triggers or seen else None,
        whole=int(row[14]) > 0,
    )


def _rows(row: list[Any], at: int) -> list[list[Any]]:
    rows = row[at] or []
    if len(rows) != int(row[at + 1]):
        raise Refused("the server cut its catalog short", "SET group_concat_max_len to its default")
    return list(rows)


def _same(name: Name, table: str) -> bool:
    """The server compares names without their case where it does not store them so."""
    return table == name.name or (name.schema == "information_schema" and str(table).lower() == name.name)


def _column(row: list[Any]) -> Column:
    extra = str(row[7] or "").upper()
    return Column(
        name=str(row[2]),
        type=str(row[3]).lower(),
        full=str(row[4]).lower(),
        precision=int(row[5] or 0),
        scale=int(row[6] or 0),
        hidden="INVISIBLE" in extra,
        generated=str(row[8] or ""),
    )
