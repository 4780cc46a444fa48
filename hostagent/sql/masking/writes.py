"""Rows that are written to a relation with masked columns: what would tell a masked value is refused.

A write runs on the true rows, so it may not mention a masked column, nor a whole row: not in WHERE, SET, ON CONFLICT or
RETURNING. A written value may not be compared with a masked one either: by a unique index, a foreign key or a check, or
by its hash, which anybody could then look up.
"""

from __future__ import annotations

from collections.abc import Iterator

from hostagent.sql.masking.catalog import Relation
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.sites import Site, walk
from hostagent.sql.masking.values import Masked, MaskKind, Masks
from hostagent.sql.postgres.objects import strings
from hostagent.sql.postgres.tree import FIELDS, NODE, Tree

_FIX = "leave the masked columns out, and name the others one by one"
_OF_TARGET = frozenset({"excluded", "new", "old"})


def check_target(site: Site, relation: Relation, masked: Masked, masks: Masks, returned: list[Tree]) -> None:
    """Raises Refused for a write that could tell a masked value of its target, or of what a key refers to.

    `returned` are the items of RETURNING that will be masked.
    """
    if relation.rules:
        raise Refused(f"{relation.full} has rules, which run out of sight", "let somebody without masks write it")
    written = _written(site, relation)
    for constraint in relation.constraints:
        if constraint.other is not None and not constraint.columns.isdisjoint(written):
            for column in constraint.other_columns:
                if masks.of(constraint.other, column) is not None:
                    raise _compared(relation, f"{constraint.other}.{column}")
    if not masked:
        return
    _check_columns(site, relation, masked, written)
    _check_mentions(site, relation, masked, [item["ResTarget"] for item in returned])


def check_reads(kind: str, body: Tree, hidden: set[str], aliases: set[str]) -> None:
    """The same for a writing statement that reads masked relations: it gets their other columns only, so `*` would
    mean something else. Raises Refused."""
    for found, node in walk(kind, body):
        if found == "ColumnRef":
            parts = strings(node["fields"])
            star = "A_Star" in node["fields"][-1]
            if (star and (not parts or parts[-1] in aliases)) or (not star and len(parts) == 1 and parts[0] in aliases):
                raise Refused("a masked column would be written elsewhere with the whole row", _FIX)
            if not star and parts[-1] in hidden and (len(parts) == 1 or parts[-2] in aliases):
                raise Refused(f"the masked column {parts[-1]} would be written elsewhere", _FIX)
        elif found == "JoinExpr" and (
            node.get("isNatural") or not hidden.isdisjoint(strings(node.get("usingClause", [])))
        ):
            raise Refused("a masked column would be written elsewhere by a join on it", "write JOIN … ON")


def _check_columns(site: Site, relation: Relation, masked: Masked, written: frozenset[str]) -> None:
    for column in sorted(written):
        mask = masked.get(column)
        if mask is not None and mask.kind is MaskKind.HASH:
            raise Refused(
                f"{relation.full}.{column} is shown as a hash: one that is written here could be looked up", _FIX
            )
        if mask is not None and relation.kind in ("v", "m"):
            raise Refused(f"{relation.full}.{column} is masked, and a view does not say what compares it", _FIX)
    for constraint in relation.constraints:
        touched = not constraint.columns.isdisjoint(written)
        if not touched or constraint.columns.isdisjoint(masked):
            continue
        if constraint.kind == "c" and (site.kind != "UpdateStmt" or constraint.columns <= written):
            continue  # a check looks at what is written and nothing else
        raise _compared(relation, min(constraint.columns & masked.keys()))


def _compared(relation: Relation, column: str) -> Refused:
    return Refused(
        f"what is written to {relation.full} is compared with the masked column {column}: the answer would tell", _FIX
    )


def _written(site: Site, relation: Relation) -> frozenset[str]:
    """The columns that a statement gives values for."""
    node = site.node
    if site.kind == "DeleteStmt":
        return frozenset()
    if site.kind == "UpdateStmt":
        return frozenset(item["ResTarget"]["name"] for item in node.get("targetList", []))
    if site.kind == "CopyStmt":
        return frozenset(strings(node["attlist"])) if "attlist" in node else _all(relation)
    if site.kind == "MergeStmt" or "cols" not in node:
        return _all(relation)
    given = frozenset(item["ResTarget"]["name"] for item in node["cols"])
    conflict = node.get("onConflictClause", {})
    return given | {item["ResTarget"]["name"] for item in conflict.get("targetList", [])}


def _all(relation: Relation) -> frozenset[str]:
    return frozenset(column.name for column in relation.columns if not column.generated)


def _check_mentions(site: Site, relation: Relation, masked: Masked, returned: list[Tree]) -> None:
    names = {site.alias, *_OF_TARGET, *_returning_names(site.node)}
    for body, nested in _column_refs(site, returned):
        fields = body["fields"]
        parts = strings(fields)
        if "A_Star" in fields[-1]:
            if (parts and parts[-1] in names) or (not parts and not nested):
                raise Refused(f"a whole row of {relation.full} has masked columns", _FIX)
        elif len(parts) == 1 and parts[0] in names:
            raise Refused(f"a whole row of {relation.full} has masked columns", _FIX)
        elif parts[-1] in masked and (len(parts) == 1 or parts[-2] in names):
            raise Refused(f"a statement that writes {relation.full} reads its masked column {parts[-1]}", _FIX)


def _column_refs(site: Site, left_out: list[Tree]) -> Iterator[tuple[Tree, bool]]:
    """The ColumnRefs that can mean the target, and whether they stand in a query of their own."""
    skipped = {"relation", "withClause"} | ({"cols", "selectStmt"} if site.kind == "InsertStmt" else set())
    if site.kind == "CopyStmt":
        return
    if "onConflictClause" in site.node:
        for item in site.node["onConflictClause"].get("infer", {}).get("indexElems", []):
            if "name" in item["IndexElem"]:
                yield {"fields": [{"String": {"sval": item["IndexElem"]["name"]}}]}, False
    fields = FIELDS[site.kind]
    stack = [
        (fields[key], item, False)
        for key, value in site.node.items()
        if key not in skipped and fields.get(key) is not None
        for item in (value if isinstance(value, list) else [value])
    ]
    while stack:
        kind, body, nested = stack.pop()
        if kind == NODE:
            stack.extend((inner, below, nested) for inner, below in body.items())
            continue
        if any(body is one for one in left_out):
            continue
        if kind == "ColumnRef":
            yield body, nested
        inside = nested or kind == "SelectStmt"
        for key, value in body.items():
            child = FIELDS[kind].get(key)
            if child is not None:
                stack.extend((child, item, inside) for item in (value if isinstance(value, list) else [value]))


def _returning_names(node: Tree) -> set[str]:
    options = node.get("returningClause", {})
    items = options.get("options", []) if isinstance(options, dict) else []
    return {item["ReturningOption"].get("value", "") for item in items}
