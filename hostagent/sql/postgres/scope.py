"""Scope: which names a part of a query can see: CTEs, and the aliases of its FROM list.

A source is a relation ("schema.table" as written), UNSURE (an alias that can be several relations), or None:
something derived (sub-select, CTE, function), whose columns were counted where they were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

Source = str | None
UNSURE = ""


@dataclass(slots=True)
class Scope:
    """One level of names; `parent` is the level around it."""

    parent: Scope | None = None
    ctes: set[str] = field(default_factory=set)
    sources: dict[str, Source] = field(default_factory=dict)

    def chain(self) -> Iterator[Scope]:
        """This level and those around it, inner first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def is_cte(self, name: str) -> bool:
        """Whether an unqualified relation name means a CTE here."""
        return any(name in scope.ctes for scope in self.chain())

    def add(self, alias: str, source: Source) -> None:
        """Makes an alias visible; one alias for two relations is UNSURE."""
        known = self.sources.get(alias, source)
        self.sources[alias] = source if known == source else UNSURE

    def lookup(self, alias: str) -> tuple[bool, Source]:
        """(known, source) of an alias, the innermost one first."""
        for scope in self.chain():
            if alias in scope.sources:
                return True, scope.sources[alias]
        return False, None

    def unqualified(self) -> tuple[bool, str]:
        """(is a column of a relation, relation) for a column without an alias: the relation if only one can have it."""
        relations = {s for scope in self.chain() for s in scope.sources.values() if s is not None}
        if len(relations) == 1:
            return True, relations.pop()
        derived = any(scope.sources for scope in self.chain())
        return bool(relations) or not derived, UNSURE

    def relations(self) -> list[str]:
        """The relations that `*` means: those of the innermost level that has sources."""
        for scope in self.chain():
            if scope.sources:
                return [s for s in scope.sources.values() if s is not None]
        return [UNSURE]
