"""Expressions: columns and the functions that are called. Casts and built-in syntax (coalesce, case) call nothing."""

from __future__ import annotations

from hostagent.sql.analysis import Column, Name
from hostagent.sql.postgres.objects import qualified, strings
from hostagent.sql.postgres.scope import Scope
from hostagent.sql.postgres.tree import Tree
from hostagent.sql.postgres.walk import Handler, Walk

# `t.f` means f(t) where t has no column f: these take a whole row of any relation.
ROW_FUNCTIONS = frozenset(
    {
        "any_value",
        "array_agg",
        "concat",
        "hash_record",
        "hstore",
        "json_agg",
        "json_agg_strict",
        "json_build_array",
        "jsonb_agg",
        "jsonb_agg_strict",
        "jsonb_build_array",
        "max",
        "min",
        "quote_literal",
        "quote_nullable",
        "record_out",
        "record_send",
        "row_to_json",
        "to_json",
        "to_jsonb",
    }
)

# Syntax of newer servers that an older one takes for a call of a function of that name.
JSON_SYNTAX = {
    "JsonArrayAgg": "json_arrayagg",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonObjectConstructor": "json_object",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
    "JsonTable": "json_table",
    "MergeSupportFunc": "merge_action",
}


def column(walk: Walk, name: str, scope: Scope) -> None:
    """A column without an alias; also a whole row, where the name is an alias."""
    known, source = scope.lookup(name)
    if known and source is not None:
        walk.columns.add(Column(source, "*"))
    is_column, relation = scope.unqualified()
    if is_column:
        walk.columns.add(Column(relation, name))


def star(walk: Walk, scope: Scope) -> None:
    """All columns of all relations of the innermost FROM list."""
    walk.columns.update(Column(relation, "*") for relation in scope.relations())


def column_ref(walk: Walk, body: Tree, scope: Scope) -> None:
    """ColumnRef: `c`, `*`, `t.c`, `t.*`, `schema.t.c`, `database.schema.t.c`."""
    fields = body["fields"]
    parts = strings(fields)
    if "A_Star" in fields[-1]:
        parts.append("*")
    if parts == ["*"]:
        star(walk, scope)
    elif len(parts) == 1:
        column(walk, parts[0], scope)
    else:
        _of_alias(walk, parts, scope)


def _of_alias(walk: Walk, parts: list[str], scope: Scope) -> None:
    name = parts[-1]
    if len(parts) > 2:
        source: str | None = f"{parts[-3]}.{parts[-2]}"
        walk.columns.add(Column(f"{parts[-3]}.{parts[-2]}", name))
        # `alias.composite.field` has the same shape
        known, first = scope.lookup(parts[0])
        if known and first is not None:
            walk.columns.add(Column(first, parts[1]))
    else:
        known, source = scope.lookup(parts[0])
        source = source if known else parts[0]
        if source is not None:
            walk.columns.add(Column(source, name))
    if source is not None and name in ROW_FUNCTIONS:
        walk.columns.add(Column(source, "*"))


def func_call(walk: Walk, body: Tree, scope: Scope) -> None:
    """FuncCall: functions, aggregates, window and table functions."""
    name = qualified(strings(body["funcname"]))
    if name is not None:
        walk.functions.add(name)
        if name.name == "set_config":
            walk.settings.add(_literal(body.get("args", [{}])[0]))
    walk.children("FuncCall", body, scope, skip=("funcname",))


def _literal(argument: Tree) -> str:
    value = argument.get("A_Const", {}).get("sval", {}).get("sval")
    return value.lower() if isinstance(value, str) else "*"


def _operators(kind: str, key: str) -> Handler:
    def handler(walk: Walk, body: Tree, scope: Scope) -> None:
        parts = strings(body.get(key, []))
        if len(parts) > 1 and parts[-2] != "pg_catalog":
            walk.functions.add(Name(parts[-2], f"operator:{parts[-1]}"))
        walk.children(kind, body, scope, skip=(key,))

    return handler


def _json_syntax(kind: str, name: str) -> Handler:
    def handler(walk: Walk, body: Tree, scope: Scope) -> None:
        walk.functions.add(Name("", name))
        walk.children(kind, body, scope)

    return handler


def json_function(walk: Walk, body: Tree, scope: Scope) -> None:
    """JsonFuncExpr: JSON_EXISTS, JSON_QUERY, JSON_VALUE."""
    walk.functions.add(Name("", body["op"].removesuffix("_OP").lower()))
    walk.children("JsonFuncExpr", body, scope)


def _named_element(kind: str) -> Handler:
    def handler(walk: Walk, body: Tree, scope: Scope) -> None:
        if body.get("name"):
            column(walk, body["name"], scope)
        walk.children(kind, body, scope, skip=("collation", "opclass"))

    return handler


HANDLERS: dict[str, Handler] = {
    "A_Expr": _operators("A_Expr", "name"),
    "ColumnRef": column_ref,
    "FuncCall": func_call,
    "IndexElem": _named_element("IndexElem"),
    "JsonFuncExpr": json_function,
    "SortBy": _operators("SortBy", "useOp"),
    "StatsElem": _named_element("StatsElem"),
    "SubLink": _operators("SubLink", "operName"),
    **{kind: _json_syntax(kind, name) for kind, name in JSON_SYNTAX.items()},
}
