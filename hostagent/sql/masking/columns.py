"""Which columns of a relation are masked, and by what: its own, those of its family, generated ones, views."""

from __future__ import annotations

from dataclasses import dataclass, field

from hostagent.sql.masking.catalog import Catalog, Column, Relation
from hostagent.sql.masking.expression import masked
from hostagent.sql.masking.policies import policy_mentions
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.system import masked_columns
from hostagent.sql.masking.text import quoted
from hostagent.sql.masking.values import REDACTED, Masked, MaskKind, Masks, Needs
from hostagent.sql.masking.views import View, classify

MAX_DEPTH = 32  # views upon views


@dataclass(slots=True)
class Columns:
    """The masked columns of relations, found once each. `needs` gathers what the catalog lacks for views and policies:
    as long as it is not empty, nothing that was found may be used."""

    catalog: Catalog
    masks: Masks
    needs: Needs = field(default_factory=Needs)
    _found: dict[int, Masked] = field(default_factory=dict)
    _depth: int = 0

    def of(self, relation: Relation) -> Masked:
        """The masked columns of a relation. Raises Refused for a view whose rows depend on a masked column."""
        if relation.is_system:
            return masked_columns(relation.full)
        if relation.oid not in self._found:
            if self._depth >= MAX_DEPTH:
                raise Refused(f"the view {relation.full} is built on too many others")
            self._depth += 1
            try:
                self._found[relation.oid] = self._masked(relation)
            finally:
                self._depth -= 1
        return self._found[relation.oid]

    def forbidden(self) -> tuple[tuple[int, int], ...]:
        """Relation oid and number of every masked column that was met."""
        return tuple(
            (oid, column.number)
            for oid, masked in sorted(self._found.items())
            for column in self.catalog.relations[oid].columns
            if column.name in masked
        )

    def _masked(self, relation: Relation) -> Masked:
        found: Masked = {}
        for column in relation.columns:
            names = (relation.full, *relation.family)
            mask = next((m for name in names if (m := self.masks.of(name, column.name)) is not None), None)
            if mask is not None:
                found[column.name] = mask
        for column in relation.columns:  # a generated column is made from columns that are not generated
            if column.name not in found and not found.keys().isdisjoint(column.made_from):
                found[column.name] = REDACTED
        if relation.kind in ("v", "m"):
            view = View(relation, self.catalog, self.masks, self.of)
            found = classify(view) | found
            self.needs |= view.needs
        self._check_policies(relation, found)
        return found

    def _check_policies(self, relation: Relation, found: Masked) -> None:
        for text in relation.policies:
            names, relations = policy_mentions(text)
            hidden = set(found)
            for name in relations:
                if name not in self.catalog.found:
                    self.needs |= Needs(relations=frozenset({name}))
                elif (other := self.catalog.relation(name)) is not None and other.oid != relation.oid:
                    hidden |= self.of(other).keys()
            if hidden and not names.isdisjoint(hidden | {"*"}):
                raise Refused(
                    f"row security of {relation.full} depends on a masked column",
                    "its rows would tell what is masked: the column has to be left out of the masks, or of the policy",
                )

    def select(
        self, relation: Relation, *, only: bool = False, leave_out: bool = False, names: list[str] | None = None
    ) -> str:
        """The sub-select, without parentheses, that stands for a relation. `leave_out`: without its masked columns."""
        items = self.items(relation, names, leave_out=leave_out)
        return f"SELECT {items} FROM {'ONLY ' if only else ''}{sent(relation)}"  # noqa: S608 (names are quoted)

    def items(self, relation: Relation, names: list[str] | None = None, *, leave_out: bool = False) -> str:
        """The columns of a relation, or some of them, as items of a target list, each under its name."""
        found = self.of(relation)
        shown = [c for c in relation.columns if self._is_shown(c, found, leave_out=leave_out)]
        if names is not None:
            by_name = {column.name: column for column in shown}
            if not by_name.keys() >= set(names):
                raise Refused(f"{relation.full} has no such column")
            shown = [by_name[name] for name in names]
        return ", ".join(self._item(column, found) for column in shown)

    def _is_shown(self, column: Column, found: Masked, *, leave_out: bool) -> bool:
        """A column that the role may not read is only there where its mask is a constant."""
        mask = found.get(column.name)
        if mask is None:
            return column.readable
        return not leave_out and (column.readable or mask.kind in (MaskKind.REDACT, MaskKind.NULL))

    def _item(self, column: Column, found: Masked) -> str:
        name = quoted(column.name)
        if column.name not in found:
            return name
        return f"{masked(column, found[column.name], self.masks.key)} AS {name}"


def sent_schema(relation: Relation) -> str:
    """The schema that is written before a relation's name; a temporary one by the name that any session has for it."""
    return "pg_temp" if relation.schema.startswith("pg_temp_") else relation.schema


def sent(relation: Relation) -> str:
    """The qualified name of a relation, as it is sent."""
    return f"{quoted(sent_schema(relation))}.{quoted(relation.name)}"
