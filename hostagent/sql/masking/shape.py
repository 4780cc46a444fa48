"""The shape of a result: names of output columns, as far as the text says (parse_target.c, FigureColname)."""

from __future__ import annotations

from hostagent.sql.postgres.objects import strings
from hostagent.sql.postgres.tree import Tree

Shape = tuple[str | None, ...]


def shape(kind: str, body: Tree) -> Shape | None:
    """The output columns of a statement; None where their number is not known, or where it returns no rows."""
    if kind == "SelectStmt":
        return None if "intoClause" in body else _of_select(body)
    if kind in ("InsertStmt", "UpdateStmt", "DeleteStmt") and "returningClause" in body:
        return _of_targets(body["returningClause"].get("exprs", []))
    return None


def _of_select(body: Tree) -> Shape | None:
    while "larg" in body:
        body = body["larg"]
    if "valuesLists" in body:
        items = body["valuesLists"][0]["List"]["items"]
        return tuple(f"column{number}" for number in range(1, len(items) + 1))
    return _of_targets(body.get("targetList", []))


def _of_targets(items: list[Tree]) -> Shape | None:
    names: list[str | None] = []
    for item in items:
        target = item["ResTarget"]
        fields = target["val"].get("ColumnRef", {}).get("fields", [])
        indirection = target["val"].get("A_Indirection", {}).get("indirection", [])
        if any("A_Star" in part[-1] for part in (fields, indirection) if part):
            return None  # `*`, or `(row).*`
        names.append(target.get("name") or (strings(fields)[-1] if fields else None))
    return tuple(names)
