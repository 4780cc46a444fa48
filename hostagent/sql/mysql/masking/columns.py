"""What is masked of a relation: by policy, because it is made of something masked, or because it tells of it."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import Any

from hostagent.sql.analysis import Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import REDACTED, Mask, Masked, Masks
from hostagent.sql.mysql.masking import system
from hostagent.sql.mysql.masking.catalog import Catalog, Column, Relation
from hostagent.sql.mysql.masking.expression import masked, quoted

_WORDS = re.compile(r"[A-Za-z0-9_$\x80-\U0010ffff]+")


class Columns:
    """The masks of one class of actors over one catalog. Names of columns are compared in lower case."""

    def __init__(self, catalog: Catalog, masks: Masks, *, fold: bool) -> None:
        self._catalog = catalog
        self._masks = masks
        self._fold = fold
        self._known: dict[Name, Masked] = {}

    def may_be_masked(self, name: Name) -> bool:
        """Whether a mask speaks of a relation, whatever columns are shown of it."""
        return any(self._speaks(mask, name) for mask in self._masks.entries)

    def relation(self, name: Name) -> Relation | None:
        """What the server said of a relation. Raises Refused where it is not known and a mask may hold for it."""
        relation = self._catalog.found[name]
        if relation is None and self.may_be_masked(name):
            raise Refused(f"the server does not show the columns of {name}", "check its name and your rights")
        return relation

    def masked(self, name: Name) -> Masked:
        """Its masked columns, by name in lower case."""
        if name.schema in system.SCHEMAS:
            return system.masked_columns(name)
        if name not in self._known:
            relation = self.relation(name)
            self._known[name] = {} if relation is None else self._of(relation)
        return self._known[name]

    def masked_if_known(self, name: Name) -> Masked:
        """The same, of a relation that may be about to be made."""
        return {} if self._catalog.found[name] is None else self.masked(name)

    def _of(self, relation: Relation) -> Masked:
        found: Masked = {}
        for column in relation.columns:
            mask = next((m for m in self._masks.entries if self._covers(m, relation.name, column.name)), None)
            if mask is not None:
                found[column.name.lower()] = mask
        while made := [c for c in relation.columns if c.name.lower() not in found and _mentions(c, found)]:
            found.update((c.name.lower(), REDACTED) for c in made)
        return found

    def rows(self, relation: Relation) -> str:
        """Where the rows of a relation come from: in no order of what is masked."""
        hidden = self.masked(relation.name)
        telling = [name for name, columns, _ in relation.indexes if hidden and looks_at(columns, hidden)]
        hint = f" IGNORE INDEX ({', '.join(map(quoted, telling))})" if telling else ""
        return f"{quoted(relation.name.schema)}.{quoted(relation.name.name)}{hint}"

    def select(self, relation: Relation, of: str) -> str:
        """The sub-select that stands for a relation; `of` is where its rows come from."""
        hidden = self.masked(relation.name)
        items = [self._item(c, hidden.get(c.name.lower())) for c in relation.columns if not c.hidden]
        if not items:
            raise Refused(f"no column of {relation.name} may be seen")
        return f"(SELECT {', '.join(items)} FROM {of})"  # noqa: S608  every part of it is quoted

    def _item(self, column: Column, mask: Mask | None) -> str:
        if mask is None:
            return quoted(column.name)
        return f"{masked(column, mask, self._masks.key)} AS {quoted(column.name)}"

    def _covers(self, mask: Mask, name: Name, column: str) -> bool:
        return any(
            self._matches(schema, table, name) and _word(of.lower())(column.lower())
            for schema, table, of in map(_parts, mask.columns)
        )

    def _speaks(self, mask: Mask, name: Name) -> bool:
        return any(self._matches(schema, table, name) for schema, table, _ in map(_parts, mask.columns))

    def _matches(self, schema: str, table: str, name: Name) -> bool:
        if self._fold:
            schema, table = schema.lower(), table.lower()
        return bool(_word(schema)(name.schema)) and bool(_word(table)(name.name))


def looks_at(columns: frozenset[str], hidden: Masked) -> bool:
    """Whether an index of these columns knows something masked."""
    return "" in columns or not columns.isdisjoint(hidden)


def mentions(text: str, names: Masked) -> bool:
    """Whether an expression's text may name one of these columns."""
    lowered = text.lower()
    words = set(_WORDS.findall(lowered))
    return any(name in words or (_WORDS.fullmatch(name) is None and name in lowered) for name in names)


def _mentions(column: Column, names: Masked) -> bool:
    return bool(column.generated) and mentions(column.generated, names)


@lru_cache(maxsize=4096)
def _word(pattern: str) -> Any:
    return re.compile(fnmatch.translate(pattern)).match


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("."))
