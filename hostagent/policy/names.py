"""What a SQL name may mean, and whether patterns cover it.

An unqualified name is looked up in the session's schemas. Where it will be found is not known here, so an allow must
cover every schema that it may be found in, and a deny holds when one of them matches.

- `pg_temp` comes first for relations and is left out of an allow: what is in it was made in the same session, by
  statements that were decided with all that they read. A deny on `pg_temp.*` does match.
- `pg_catalog` is looked in for every function, and for relations whose name begins with `pg_`: no other relation can be
  made there.
- A name `*` (from DROP SCHEMA s and the like) means all of a schema.
- A function by number (`oid:42`) may be in any schema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hostagent.policy import glob
from hostagent.sql.analysis import Name

_CATALOG, _TEMP = "pg_catalog", "pg_temp"
Schemas = tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class NamePatterns:
    """`schema.name` patterns, compiled."""

    parts: tuple[tuple[str, str, glob.Matches, glob.Matches], ...]

    @classmethod
    def of(cls, patterns: tuple[str, ...]) -> NamePatterns:
        """From the text of a policy; `*` is `*.*`."""
        halves = [("*", "*") if p == "*" else tuple(p.split(".", 1)) for p in patterns]
        return cls(tuple((schema, name, glob.word(schema), glob.word(name)) for schema, name in halves))

    def cover_relation(self, name: Name, schemas: Schemas) -> bool:
        """Whether the relation is covered wherever it may be found."""
        return self._cover(name, schemas, catalog=name.name.startswith("pg_"))

    def cover_function(self, name: Name, schemas: Schemas) -> bool:
        """Whether the function is covered wherever it may be found."""
        return self._cover(name, None if name.name.startswith("oid:") else schemas, catalog=True)

    def hit(self, name: Name, schemas: Schemas) -> bool:
        """Whether the name may be one that a pattern matches."""
        if name.schema:
            places: Schemas = (_plain(name.schema),)
        elif schemas is None or name.name.startswith("oid:"):
            places = None
        else:
            places = (*map(_plain, schemas), _CATALOG, _TEMP)
        whole = name.name == "*"
        by_number = name.name.startswith("oid:")
        return any(
            (whole or by_number or in_name(name.name)) and (places is None or any(map(in_schema, places)))
            for _, _, in_schema, in_name in self.parts
        )

    def _cover(self, name: Name, schemas: Schemas, *, catalog: bool) -> bool:
        places = _places(name, schemas, catalog=catalog)
        if not places:
            return any(schema == "*" and self._names(pattern, m, name) for schema, pattern, _, m in self.parts)
        return all(
            any(in_schema(place) and self._names(pattern, m, name) for _, pattern, in_schema, m in self.parts)
            for place in places
        )

    @staticmethod
    def _names(pattern: str, matches: Callable[[str], object], name: Name) -> bool:
        return pattern == "*" or (name.name != "*" and bool(matches(name.name)))


def _places(name: Name, schemas: Schemas, *, catalog: bool) -> tuple[str, ...]:
    """Schemas in which an unqualified name may be found; none when that is not known."""
    if name.schema:
        return (_plain(name.schema),)
    if schemas is None:
        return ()
    places = [place for s in schemas if (place := _plain(s)) not in (_TEMP, _CATALOG)]
    return (*places, _CATALOG) if catalog and places else tuple(places)


def _plain(schema: str) -> str:
    return _TEMP if schema.startswith("pg_temp_") else schema
