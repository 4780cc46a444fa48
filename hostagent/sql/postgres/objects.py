"""Names in a parse tree: relations, functions, and the targets of DROP, ALTER, COMMENT, GRANT and RENAME.

An object that lives in a schema is given as written; a schema is given as `schema.*`; an object that belongs to a
relation (trigger, rule, policy, constraint, column) is given as that relation.
"""

from __future__ import annotations

from typing import Any

from hostagent.sql.analysis import Name
from hostagent.sql.postgres.tree import Tree

ON_RELATION = frozenset({"OBJECT_COLUMN", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER"})
AFTER_METHOD = frozenset({"OBJECT_OPCLASS", "OBJECT_OPFAMILY"})


def relation(body: Tree) -> Name:
    """The relation of a RangeVar."""
    return Name(body.get("schemaname", ""), body["relname"])


def strings(items: list[Tree]) -> list[str]:
    """The texts of a list of String nodes; other nodes are left out."""
    return [item["String"].get("sval", "") for item in items if "String" in item]


def qualified(parts: list[str]) -> Name | None:
    """The name of `[catalog.][schema.]name`; None for no parts."""
    if not parts:
        return None
    return Name(parts[-2] if len(parts) > 1 else "", parts[-1])


def target(object_type: str, node: Tree) -> Name | None:
    """The object that a DROP, ALTER, COMMENT, RENAME or GRANT names, or None where it has no name of its own."""
    for kind, body in node.items():
        if object_type == "OBJECT_SCHEMA":
            return Name(body.get("sval", ""), "*")
        if kind == "List":
            return _listed(object_type, body.get("items", []))
        if kind == "RangeVar":
            return relation(body)
        return _single(kind, body)
    return None


def _single(kind: str, body: Any) -> Name | None:
    if kind == "String":
        return Name("", body.get("sval", ""))
    if kind == "ObjectWithArgs":
        return qualified(strings(body.get("objname", [])))
    if kind == "TypeName":
        return qualified(strings(body.get("names", [])))
    return None


def _listed(object_type: str, items: list[Tree]) -> Name | None:
    parts = strings(items)
    if object_type in ON_RELATION:
        parts = parts[:-1]
    elif object_type in AFTER_METHOD:
        parts = parts[1:]
    elif not parts and items:
        return target(object_type, items[0])
    return qualified(parts)
