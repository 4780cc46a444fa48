"""Masks and what rewriting gives. Values only; they cross the analyzer's socket as plain JSON."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from hostagent.sql.analysis import Name

KEY_BYTES = 32


class MaskKind(StrEnum):
    """What is shown in the place of a value."""

    REDACT = "redact"  # a constant of the column's type
    NULL = "null"
    HASH = "hash"  # keyed: equal values stay equal
    PARTIAL = "partial"  # some first and last characters
    FORMAT = "format"  # the shape: digits are 0, letters x or X


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask; `columns` are `schema.table.column` patterns. `first` and `last` are characters that PARTIAL shows.

    `functions` are `schema.name` patterns of functions that are known to read none of the masked columns.
    """

    name: str
    kind: MaskKind
    columns: tuple[str, ...]
    first: int = 0
    last: int = 0
    functions: tuple[str, ...] = ()

    def covers(self, relation: Name, column: str) -> bool:
        """Whether it masks that column of that relation (both parts of the name given)."""
        return any(
            _word(schema)(relation.schema) and _word(name)(relation.name) and _word(of)(column)
            for schema, name, of in map(_parts, self.columns)
        )


REDACTED = Mask("", MaskKind.REDACT, ())  # of what is computed from a masked value
Masked = dict[str, Mask]  # of one relation: column → mask


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of one class of actors at one target, in the order of policy: the first that covers a column counts.

    `key` (KEY_BYTES) belongs to the target; only HASH needs it.
    """

    entries: tuple[Mask, ...]
    key: bytes = bytes(KEY_BYTES)

    def of(self, relation: Name, column: str) -> Mask | None:
        """The mask of a column, or None."""
        return next((mask for mask in self.entries if mask.covers(relation, column)), None)

    def trusts(self, function: Name) -> bool:
        """Whether every mask says that the function reads none of its columns."""
        return bool(self.entries) and all(
            any(_word(schema)(function.schema) and _word(name)(function.name) for schema, name in map(_parts, listed))
            for listed in (mask.functions for mask in self.entries)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the masks back."""
        entries = [[m.name, m.kind.value, list(m.columns), m.first, m.last, list(m.functions)] for m in self.entries]
        return {"entries": entries, "key": self.key.hex()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Masks:
        """The masks that `to_json` described. Raises KeyError, TypeError or ValueError on another shape."""
        entries = tuple(
            Mask(str(name), MaskKind(kind), tuple(map(str, columns)), int(first), int(last), tuple(map(str, functions)))
            for name, kind, columns, first, last, functions in data["entries"]
        )
        key = bytes.fromhex(data["key"])
        if len(key) != KEY_BYTES or not entries:
            raise ValueError("masks need an entry and a key")
        return cls(entries, key)


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be known of the server before a text can be rewritten: the arguments of `query.catalog_query`.

    `functions` are names of functions that are called, or could be by `row.name`; `operators` those that the text uses;
    `types`: whether it names a type.
    """

    relations: frozenset[Name] = frozenset()
    functions: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    types: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.relations | other.relations,
            self.functions | other.functions,
            self.operators | other.operators,
            self.types or other.types,
        )

    def __bool__(self) -> bool:
        return bool(self.relations or self.functions or self.operators or self.types)


@dataclass(frozen=True, slots=True)
class NeedsMore:
    """The text cannot be rewritten yet: ask the server for all of `needs`, then rewrite again."""

    needs: Needs


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text to send in the place of the client's; it holds key material when `hash` is used: never record it.

    `masked` are the masked columns of the relations that it reads, as `schema.table.column`. `relations` are the oids
    that it depends on, those under views too. `shape`: the names of the output columns of the last statement, None for
    a name that is not known here; None as a whole where even the number is not known or nothing is returned.
    `forbidden`: relation oid and number of columns that no result may hold unmasked. `lasting`: every name was found.
    `temporary`: the session has temporary relations, which are found first. `pieces`: the text between the literals of
    the client's, where it depends on nothing of them but their places: `literals.pieces`.

    MySQL: `constants`: what each output column shows, as text or NULL, None where that is not known. `derived`: names
    of what stands for a relation and is none, lower case: a result may give them as its columns' relation.
    """

    text: str
    masked: tuple[str, ...] = ()
    relations: tuple[int, ...] = ()
    shape: tuple[str | None, ...] | None = None
    forbidden: tuple[tuple[int, int], ...] = ()
    lasting: bool = False
    temporary: bool = False
    pieces: tuple[str, ...] = ()
    constants: tuple[str | None, ...] = ()
    derived: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsafe:
    """The text cannot be made safe. Both parts are written for the client; `fix` says what to write instead."""

    reason: str
    fix: str = ""


Result = Rewritten | NeedsMore | Unsafe


def result_to_json(result: Result) -> dict[str, Any]:
    """Plain JSON values for the analyzer's socket; `result_from_json` gives the result back."""
    if isinstance(result, Unsafe):
        return {"unsafe": [result.reason, result.fix]}
    if isinstance(result, NeedsMore):
        needs = result.needs
        relations = sorted([n.schema, n.name] for n in needs.relations)
        return {"needs": [relations, sorted(needs.functions), sorted(needs.operators), needs.types]}
    shape = None if result.shape is None else list(result.shape)
    forbidden = [list(pair) for pair in result.forbidden]
    flags = [result.lasting, result.temporary]
    known = [list(result.masked), list(result.relations), shape, forbidden, flags, list(result.pieces)]
    return {"rewritten": [result.text, *known, list(result.constants), list(result.derived)]}


def result_from_json(data: dict[str, Any]) -> Result:
    """The result that `result_to_json` described. Raises KeyError, TypeError or ValueError on another shape."""
    if "unsafe" in data:
        reason, fix = data["unsafe"]
        return Unsafe(str(reason), str(fix))
    if "needs" in data:
        relations, functions, operators, types = data["needs"]
        names = frozenset(Name(str(schema), str(name)) for schema, name in relations)
        return NeedsMore(Needs(names, frozenset(map(str, functions)), frozenset(map(str, operators)), bool(types)))
    text, masked, oids, shape, forbidden, (lasting, temporary), pieces, constants, derived = data["rewritten"]
    if not isinstance(text, str):
        raise TypeError("a rewritten text is a text")
    names_ = None if shape is None else _texts(shape)
    pairs = tuple((int(oid), int(number)) for oid, number in forbidden)
    between = tuple(map(str, pieces)), _texts(constants), tuple(map(str, derived))
    known = tuple(map(str, masked)), tuple(map(int, oids)), names_, pairs
    return Rewritten(text, *known, lasting is True, temporary is not False, *between)


def _texts(items: list[object]) -> tuple[str | None, ...]:
    return tuple(None if item is None else str(item) for item in items)


@lru_cache(maxsize=4096)
def _word(pattern: str) -> Any:
    return re.compile(fnmatch.translate(pattern)).match


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("."))
