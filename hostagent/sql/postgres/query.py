"""SELECT, INSERT, UPDATE, DELETE, MERGE and what stands in their FROM lists."""

from __future__ import annotations

from hostagent.sql.analysis import Column, Kind, Name
from hostagent.sql.postgres.expression import column, star
from hostagent.sql.postgres.objects import qualified, relation, strings
from hostagent.sql.postgres.scope import UNSURE, Scope
from hostagent.sql.postgres.tree import Tree
from hostagent.sql.postgres.walk import Handler, Walk

READS_TARGET = frozenset({"whereClause", "returningClause", "fromClause", "usingClause"})
ACTIONS = {"CMD_INSERT": Kind.INSERT, "CMD_UPDATE": Kind.UPDATE, "CMD_DELETE": Kind.DELETE}


def with_clause(walk: Walk, body: Tree, scope: Scope) -> Scope:
    """The scope inside a statement: its CTEs, of which each sees those before it, or all when RECURSIVE."""
    inner = Scope(scope)
    clause = body.get("withClause", {})
    ctes = [item["CommonTableExpr"] for item in clause.get("ctes", [])]
    if clause.get("recursive"):
        inner.ctes.update(cte["ctename"] for cte in ctes)
    for cte in ctes:
        walk.visit("CommonTableExpr", cte, inner)
        inner.ctes.add(cte["ctename"])
    return inner


def add_sources(node: Tree, scope: Scope) -> None:
    """Makes the aliases of one FROM item visible."""
    for kind, body in node.items():
        alias = body.get("alias", {}).get("aliasname", "")
        if kind == "RangeVar":
            is_cte = "schemaname" not in body and scope.is_cte(body["relname"])
            scope.add(alias or body["relname"], None if is_cte else str(relation(body)))
        elif kind == "JoinExpr":
            add_sources(body["larg"], scope)
            add_sources(body["rarg"], scope)
            for name in (alias, body.get("join_using_alias", {}).get("aliasname", "")):
                if name:
                    scope.add(name, UNSURE)
        elif kind == "RangeTableSample":
            add_sources(body["relation"], scope)
        else:
            scope.add(alias, None)


def select(walk: Walk, body: Tree, scope: Scope) -> None:
    """SelectStmt: SELECT, VALUES, TABLE, and set operations of them."""
    walk.kinds.add(Kind.SELECT)
    query(walk, body, scope)


def query(walk: Walk, body: Tree, scope: Scope) -> None:
    """The body of a SelectStmt, without saying that it selects."""
    outer = with_clause(walk, body, scope)
    inner = Scope(outer)
    if "larg" in body:
        walk.visit("SelectStmt", body["larg"], outer)
        walk.visit("SelectStmt", body["rarg"], outer)
        inner.add("", None)
    for item in body.get("fromClause", []):
        add_sources(item, inner)
    if "lockingClause" in body:
        walk.kinds.add(Kind.LOCK)
    walk.children("SelectStmt", body, inner, skip=("withClause", "larg", "rarg", "lockingClause"))


def into_clause(walk: Walk, body: Tree, scope: Scope) -> None:
    """IntoClause: SELECT INTO and CREATE TABLE AS make their target."""
    walk.kinds.add(Kind.CREATE)
    walk.write(body["rel"])
    walk.children("IntoClause", body, scope, skip=("rel",))


def range_var(walk: Walk, body: Tree, scope: Scope) -> None:
    """A RangeVar that is read: a relation, unless it is the name of a CTE."""
    if "schemaname" not in body and scope.is_cte(body["relname"]):
        return
    name = relation(body)
    walk.reads.add(name)
    if "colnames" in body.get("alias", {}):
        walk.columns.add(Column(str(name), "*"))


def join(walk: Walk, body: Tree, scope: Scope) -> None:
    """JoinExpr: NATURAL compares columns that it does not name; an alias can rename all columns of both sides."""
    if body.get("isNatural") or "colnames" in body.get("alias", {}):
        star(walk, scope)
    for name in strings(body.get("usingClause", [])):
        column(walk, name, scope)
    walk.children("JoinExpr", body, scope)


def sub_select(walk: Walk, body: Tree, scope: Scope) -> None:
    """RangeSubselect: does not see its neighbours in the FROM list, unless LATERAL."""
    walk.node(body["subquery"], scope if body.get("lateral") or scope.parent is None else scope.parent)


def table_sample(walk: Walk, body: Tree, scope: Scope) -> None:
    """RangeTableSample: its method is a function."""
    method = qualified(strings(body["method"]))
    if method is not None:
        walk.functions.add(method)
    walk.children("RangeTableSample", body, scope, skip=("method",))


def insert(walk: Walk, body: Tree, scope: Scope) -> None:
    """InsertStmt; its VALUES list is no SELECT. ON CONFLICT DO UPDATE is an update too."""
    walk.kinds.add(Kind.INSERT)
    target = walk.write(body["relation"])
    outer = with_clause(walk, body, scope)
    _target_columns(walk, body.get("cols", []), target, outer)
    if "cols" not in body:
        walk.columns.add(Column(str(target), "*"))
    source = body.get("selectStmt", {}).get("SelectStmt")
    if source is not None and "valuesLists" in source:
        query(walk, source, outer)
    elif source is not None:
        select(walk, source, outer)
    inner = _target_scope(body["relation"], outer, "excluded")
    if "onConflictClause" in body:
        walk.visit("OnConflictClause", body["onConflictClause"], inner)
    if "returningClause" in body:
        walk.reads.add(target)
        returning(walk, body["returningClause"], inner, str(target))


def on_conflict(walk: Walk, body: Tree, scope: Scope) -> None:
    """OnConflictClause, with the target of the INSERT as the first source of the scope."""
    if body.get("action") == "ONCONFLICT_UPDATE":
        walk.kinds.add(Kind.UPDATE)
        source = next(iter(scope.sources.values())) or ""
        schema, _, name = source.rpartition(".")
        walk.reads.add(next((w for w in walk.writes if str(w) == source), Name(schema, name)))
        walk.columns.update(Column(source, item["ResTarget"]["name"]) for item in body.get("targetList", []))
    walk.children("OnConflictClause", body, scope)


def update(walk: Walk, body: Tree, scope: Scope) -> None:
    """UpdateStmt."""
    walk.kinds.add(Kind.UPDATE)
    target = relation(body["relation"])
    if target.name == "pg_settings" and target.schema in ("", "pg_catalog"):  # a rule of this view calls set_config
        walk.kinds.add(Kind.SET)
        walk.settings.add("*")
    _change("UpdateStmt", walk, body, scope)


def delete(walk: Walk, body: Tree, scope: Scope) -> None:
    """DeleteStmt."""
    walk.kinds.add(Kind.DELETE)
    _change("DeleteStmt", walk, body, scope)


def _change(kind: str, walk: Walk, body: Tree, scope: Scope) -> None:
    target = walk.write(body["relation"])
    outer = with_clause(walk, body, scope)
    inner = _target_scope(body["relation"], outer)
    for item in (*body.get("fromClause", []), *body.get("usingClause", [])):
        add_sources(item, inner)
    assignments = body.get("targetList", [])
    if body.keys() & READS_TARGET or _names_column(assignments):
        walk.reads.add(target)
    _target_columns(walk, assignments, target, inner)
    walk.children(kind, body, inner, skip=("relation", "withClause", "targetList", "returningClause"))
    if "returningClause" in body:
        returning(walk, body["returningClause"], inner, str(target))


def merge(walk: Walk, body: Tree, scope: Scope) -> None:
    """MergeStmt: also the kinds of its actions."""
    walk.kinds.add(Kind.MERGE)
    target = walk.write(body["relation"])
    walk.reads.add(target)
    outer = with_clause(walk, body, scope)
    inner = _target_scope(body["relation"], outer)
    add_sources(body["sourceRelation"], inner)
    for item in body.get("mergeWhenClauses", []):
        clause = item["MergeWhenClause"]
        command = clause.get("commandType")
        if command in ACTIONS:
            walk.kinds.add(ACTIONS[command])
        if command == "CMD_INSERT" and "targetList" not in clause:
            walk.columns.add(Column(str(target), "*"))
        _target_columns(walk, clause.get("targetList", []), target, inner)
        walk.children("MergeWhenClause", clause, inner, skip=("targetList",))
    walk.children("MergeStmt", body, inner, skip=("relation", "withClause", "mergeWhenClauses", "returningClause"))
    if "returningClause" in body:
        returning(walk, body["returningClause"], inner, str(target))


def returning(walk: Walk, body: Tree, scope: Scope, target: str) -> None:
    """ReturningClause, with OLD and NEW or the names given to them."""
    inner = Scope(scope.parent, sources=dict(scope.sources))
    for name in ("old", "new"):
        inner.sources.setdefault(name, target)
    for option in body.get("options", []):
        inner.add(option["ReturningOption"].get("value", ""), target)
    walk.children("ReturningClause", body, inner)


def _target_scope(body: Tree, outer: Scope, *aliases: str) -> Scope:
    inner = Scope(outer)
    for alias in (body.get("alias", {}).get("aliasname") or body["relname"], *aliases):
        inner.add(alias, str(relation(body)))
    return inner


def _target_columns(walk: Walk, items: list[Tree], target: Name, scope: Scope) -> None:
    for item in items:
        body = item["ResTarget"]
        walk.columns.add(Column(str(target), body["name"]))
        walk.children("ResTarget", body, scope)


def _names_column(tree: object) -> bool:
    if isinstance(tree, dict):
        return "ColumnRef" in tree or any(_names_column(value) for value in tree.values())
    return isinstance(tree, list) and any(_names_column(value) for value in tree)


HANDLERS: dict[str, Handler] = {
    "DeleteStmt": delete,
    "InsertStmt": insert,
    "IntoClause": into_clause,
    "JoinExpr": join,
    "MergeStmt": merge,
    "OnConflictClause": on_conflict,
    "RangeSubselect": sub_select,
    "RangeTableSample": table_sample,
    "RangeVar": range_var,
    "SelectStmt": select,
    "UpdateStmt": update,
}
