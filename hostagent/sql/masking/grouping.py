"""GROUP BY of a key alone: it stands for all columns of a table, but not of the sub-select that masks it."""

from __future__ import annotations

from collections.abc import Iterator

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.sites import Statement, walk
from hostagent.sql.postgres.objects import strings
from hostagent.sql.postgres.tree import Tree


def check_grouping(statement: Statement, masked: set[int]) -> None:
    """Raises Refused where a masked relation (the id of its RangeVar) is shown by columns that are not grouped."""
    for kind, body in walk(statement.kind, statement.body):
        if kind == "SelectStmt" and "groupClause" in body:
            relations = [r for item in body.get("fromClause", []) for r in _relations(item)]
            aliases = {_alias(r) for r in relations if id(r) in masked}
            if aliases:
                _check(body, aliases, alone=len(relations) == 1)


def _check(body: Tree, aliases: set[str], *, alone: bool) -> None:
    if any("GroupingSet" in item for item in body["groupClause"]):
        return
    grouped = {strings(item["ColumnRef"]["fields"])[-1] for item in body["groupClause"] if "ColumnRef" in item}
    numbers = {item["A_Const"].get("ival", {}).get("ival") for item in body["groupClause"] if "A_Const" in item}
    for number, item in enumerate(body.get("targetList", []), 1):
        target = item["ResTarget"]
        fields = target["val"].get("ColumnRef", {}).get("fields", [])
        parts = strings(fields)
        if not parts or "A_Star" in fields[-1] or number in numbers:
            continue
        of_masked = parts[-2] in aliases if len(parts) > 1 else alone
        if of_masked and parts[-1] not in grouped and target.get("name") not in grouped:
            raise Refused(f"{parts[-1]} is not in GROUP BY, and a key does not stand for masked rows", "add it there")


def _relations(item: Tree) -> Iterator[Tree]:
    for kind, body in item.items():
        if kind == "RangeVar":
            yield body
        elif kind == "JoinExpr":
            yield from _relations(body["larg"])
            yield from _relations(body["rarg"])


def _alias(body: Tree) -> str:
    name: str = body.get("alias", {}).get("aliasname") or body["relname"]
    return name
