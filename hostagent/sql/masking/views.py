"""Views, classified column by column: which output columns show a masked value, and with which mask.

An output column that is a masked column and nothing else keeps its mask; one that mentions a masked column anywhere is
REDACTED as a whole. A masked column that decides which rows there are (WHERE, JOIN, GROUP BY, DISTINCT, ORDER BY …)
makes the view Refused: its rows would tell. The text comes from pg_get_viewdef in the same session, so a name without
a schema means what the session's search path finds, and columns are qualified wherever that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from hostagent.sql.analysis import Name
from hostagent.sql.masking.catalog import SYSTEM_SCHEMAS, Catalog, Relation
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.routines import check_field, check_operator, check_operator_schema, sent_name
from hostagent.sql.masking.sites import collect
from hostagent.sql.masking.system import masked_columns, may_be_read
from hostagent.sql.masking.values import REDACTED, Mask, Masked, Masks, Needs
from hostagent.sql.postgres.objects import qualified, relation, strings
from hostagent.sql.postgres.tree import FIELDS, NODE, Tree, Unparsed, parse

Output = tuple[str, Mask | None]  # name, mask
MAX_ROUNDS = 20  # until a recursive CTE shows nothing new

# Functions that make rows: how many would tell.
_MAKING_ROWS = """
generate_series generate_subscripts json_array_elements json_array_elements_text json_each json_each_text
json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements jsonb_array_elements_text
jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_populate_recordset jsonb_to_recordset
regexp_matches regexp_split_to_table string_to_table ts_debug ts_parse unnest xmltable
"""
SET_RETURNING = frozenset(_MAKING_ROWS.split())


SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})


@dataclass(slots=True)
class View:
    """A view and what is known around it; `of` gives the masked columns of what it reads."""

    relation: Relation
    catalog: Catalog
    masks: Masks
    of: Callable[[Relation], Masked]
    needs: Needs = field(default_factory=Needs)

    def refuse(self, what: str) -> NoReturn:
        """Raises Refused."""
        raise Refused(f"the view {self.relation.full} {what}", "read the tables that it is made of")

    def find(self, name: Name) -> Relation | None:
        """The relation that a name in its definition means; None for one of the server."""
        used = [r for oid in self.relation.uses if (r := self.catalog.relations.get(oid)) is not None]
        if name.schema:
            found = [r for r in used if r.full == name]
        else:
            places = {schema: place for place, schema in enumerate(self.catalog.schemas)}
            found = sorted(
                (r for r in used if r.name == name.name and r.schema in places), key=lambda r: places[r.schema]
            )[:1]
        if found and not found[0].is_system:
            return found[0]
        if found:
            name = found[0].full
        elif not name.schema and name.name.startswith("pg_"):
            name = Name("pg_catalog", name.name)
        if name.schema not in SYSTEM_SCHEMAS or not may_be_read(name) or masked_columns(name):
            self.refuse(f"reads {name}, which may tell of masked values")
        return None


@dataclass(slots=True)
class Source:
    """An item of a FROM list: its columns by name, with their masks. One name twice counts as masked when one is."""

    alias: str
    columns: dict[str, Mask | None]
    open: bool = False  # it may have other columns, which are not masked

    @property
    def hides(self) -> bool:
        """Whether any of its columns is masked."""
        return any(mask is not None for mask in self.columns.values())


@dataclass(slots=True)
class Scope:
    """What names mean in a part of the definition."""

    ctes: dict[str, list[Output]]
    levels: list[list[Source]]  # inner first


def classify(view: View) -> Masked:
    """The masked output columns of a view. Raises Refused where its rows depend on a masked column."""
    try:
        (node,) = parse(view.relation.definition.encode())
        _check_functions(view, node)
        outputs = _query(view, node["stmt"]["SelectStmt"], Scope({}, []))
    except (Unparsed, ValueError, KeyError):
        view.refuse("cannot be read")
    if len(outputs) != len(view.relation.columns):
        view.refuse("cannot be told apart by columns")
    pairs = zip(view.relation.columns, outputs, strict=True)
    return {column.name: mask for column, (_, mask) in pairs if mask is not None}


def _check_functions(view: View, node: Tree) -> None:
    found = collect(node)
    needs = found.needs()
    known = needs.functions <= view.catalog.functions.keys() and needs.operators <= view.catalog.operators.keys()
    if not known:
        view.needs |= Needs(functions=needs.functions, operators=needs.operators)
        return
    try:
        for call in found.calls:
            sent_name(qualified(strings(call["funcname"])) or Name("", ""), view.catalog, view.masks)
        for name in found.fields:
            check_field(name, view.catalog, view.masks)
        for operator in found.operators:
            check = check_operator_schema if operator.schema else check_operator
            check(operator, view.catalog, view.masks)
    except Refused as refused:
        view.refuse(f"cannot be seen through: {refused.reason}")


def _query(view: View, body: Tree, scope: Scope) -> list[Output]:
    """The outputs of a SelectStmt."""
    scope = Scope(dict(scope.ctes), scope.levels)
    clause = body.get("withClause", {})
    for item in clause.get("ctes", []):
        _cte(view, item["CommonTableExpr"], scope, recursive=bool(clause.get("recursive")))
    if "larg" in body:
        return _set_operation(view, body, scope)
    if "valuesLists" in body:
        rows = [[_mask(view, value, scope) for value in row["List"]["items"]] for row in body["valuesLists"]]
        return [(f"column{n}", _merge(column)) for n, column in enumerate(zip(*rows, strict=True), 1)]
    inner = Scope(scope.ctes, [[], *scope.levels])
    for item in body.get("fromClause", []):
        inner.levels[0].extend(_sources(view, item, scope, inner.levels[0]))
    outputs = [_output(view, item["ResTarget"], inner) for item in body.get("targetList", [])]
    _check_rows(view, body, inner, outputs)
    return outputs


def _cte(view: View, cte: Tree, scope: Scope, *, recursive: bool) -> None:
    body = cte["ctequery"].get("SelectStmt")
    if body is None:
        view.refuse("changes rows")
    names = strings(cte.get("aliascolnames", []))
    if not recursive or "larg" not in body:
        scope.ctes[cte["ctename"]] = _renamed(_query(view, body, scope), names)
        return
    left = scope.ctes[cte["ctename"]] = _renamed(_query(view, body["larg"], scope), names)
    for _ in range(MAX_ROUNDS):
        found = _renamed(_query(view, body, scope), names)
        if [mask for _, mask in found] == [mask for _, mask in left]:
            return
        left = scope.ctes[cte["ctename"]] = found
    view.refuse("is recursive in a way that is not followed")


def _set_operation(view: View, body: Tree, scope: Scope) -> list[Output]:
    sides = [_query(view, body[side], scope) for side in ("larg", "rarg")]
    outputs = [(name, _merge((one, other))) for (name, one), (_, other) in zip(*sides, strict=True)]
    hides = any(mask is not None for _, mask in outputs)
    if hides and (body.get("op") != "SETOP_UNION" or not body.get("all")):
        view.refuse("compares rows by a masked column")
    if hides and "sortClause" in body:
        view.refuse("sorts by what may be a masked column")
    for key in ("limitOffset", "limitCount"):
        if key in body and _mask(view, body[key], scope) is not None:
            view.refuse("counts rows by a masked column")
    return outputs


def _sources(view: View, item: Tree, scope: Scope, before: list[Source]) -> list[Source]:
    """The sources of a FROM item; `before` are those that a LATERAL one sees."""
    (kind, body), *_ = item.items()
    names = strings(body.get("alias", {}).get("colnames", []))
    alias = body.get("alias", {}).get("aliasname", "")
    lateral = Scope(scope.ctes, [before, *scope.levels])
    if kind == "RangeVar":
        return [_of_relation(view, body, scope, alias or body["relname"], names)]
    if kind == "RangeSubselect":
        outputs = _query(view, body["subquery"]["SelectStmt"], lateral if body.get("lateral") else scope)
        return [Source(alias, _by_name(_renamed(outputs, names)))]
    if kind == "JoinExpr":
        return _join(view, body, scope, before)
    if kind == "RangeTableSample":
        return _sources(view, body["relation"], scope, before)
    if _mentions(view, kind, body, lateral):  # a function of rows
        view.refuse("makes rows from a masked column")
    return [Source(alias or _called(body), dict.fromkeys(names), open=True)]


def _called(body: Tree) -> str:
    """The name of the function in a FROM item, which is its alias where none is given."""
    for item in body.get("functions", [])[:1]:
        call = item["List"]["items"][0].get("FuncCall")
        return strings(call["funcname"])[-1] if call else ""
    return ""


def _join(view: View, body: Tree, scope: Scope, before: list[Source]) -> list[Source]:
    left = _sources(view, body["larg"], scope, before)
    sides = [*left, *_sources(view, body["rarg"], scope, [*before, *left])]
    hidden = {name for source in sides for name, mask in source.columns.items() if mask is not None}
    using = set(strings(body.get("usingClause", [])))
    inner = Scope(scope.ctes, [[*before, *sides], *scope.levels])
    if (
        body.get("isNatural")
        or not using.isdisjoint(hidden)
        or ("quals" in body and _mask(view, body["quals"], inner) is not None)
    ):
        view.refuse("joins by a masked column")
    alias = body.get("alias", {}).get("aliasname", "")
    if not alias:
        return sides
    if hidden:
        view.refuse("renames a join over a masked column")
    return [Source(alias, {}, open=True)]


def _of_relation(view: View, body: Tree, scope: Scope, alias: str, names: list[str]) -> Source:
    name = relation(body)
    if not name.schema and name.name in scope.ctes:
        return Source(alias, _by_name(_renamed(scope.ctes[name.name], names)))
    found = view.find(name)
    if found is None:
        return Source(alias, {}, open=True)
    masked = view.of(found)
    outputs = [(column.name, masked.get(column.name)) for column in found.columns]
    return Source(alias, _by_name(_renamed(outputs, names)))


def _output(view: View, item: Tree, scope: Scope) -> Output:
    value = item["val"]
    mask = _mask(view, value, scope)
    name = item.get("name", "")
    if "ColumnRef" in value:
        parts = strings(value["ColumnRef"]["fields"])
        return name or (parts[-1] if parts else ""), mask
    if mask is not None and _makes_rows(value):
        view.refuse("makes rows from a masked column")
    return name, REDACTED if mask is not None else None


def _check_rows(view: View, body: Tree, scope: Scope, outputs: list[Output]) -> None:
    for key, value in body.items():
        if key in ("targetList", "fromClause", "withClause") or FIELDS["SelectStmt"].get(key) is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            node = item if FIELDS["SelectStmt"][key] == NODE else {FIELDS["SelectStmt"][key]: item}
            if _mask(view, node, scope) is not None or _by_number(node, outputs):
                view.refuse("chooses, groups or sorts rows by a masked column")
    if "distinctClause" in body and any(mask is not None for _, mask in outputs):
        view.refuse("compares rows by a masked column")


def _by_number(node: Tree, outputs: list[Output]) -> bool:
    """Whether a GROUP BY or ORDER BY item means a masked output, by number or by name."""
    inner = node.get("SortBy", {}).get("node", node)
    number = inner.get("A_Const", {}).get("ival", {}).get("ival")
    if number is not None and 1 <= number <= len(outputs):
        return outputs[number - 1][1] is not None
    parts = strings(inner.get("ColumnRef", {}).get("fields", []))
    return len(parts) == 1 and any(name == parts[0] and mask is not None for name, mask in outputs)


def _mask(view: View, node: Tree, scope: Scope) -> Mask | None:
    """The mask of an expression: of a column its own, of what mentions a masked column REDACTED."""
    for kind, body in node.items():
        if kind == "ColumnRef":
            return _column(view, body, scope)
        if _mentions(view, kind, body, scope):
            return REDACTED
    return None


def _mentions(view: View, kind: str, body: Tree, scope: Scope) -> bool:
    if kind == "ColumnRef":
        return _column(view, body, scope) is not None
    if kind == "SelectStmt":
        return any(mask is not None for _, mask in _query(view, body, scope))
    fields = FIELDS[kind]
    for key, value in body.items():
        child = fields.get(key)
        if child is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            nodes = item.items() if child == NODE else [(child, item)]
            if any(_mentions(view, inner, below, scope) for inner, below in nodes):
                return True
    return False


def _column(view: View, body: Tree, scope: Scope) -> Mask | None:
    parts = strings(body["fields"])
    if "A_Star" in body["fields"][-1]:
        named = [s for level in scope.levels for s in level if not parts or s.alias == parts[-1]]
        return REDACTED if any(source.hides for source in named) else None
    if len(parts) > 1:
        return _of_alias(view, parts[-2], parts[-1], scope)
    for level in scope.levels:
        found = [source.columns[parts[0]] for source in level if parts[0] in source.columns]
        if found:
            return next((mask for mask in found if mask is not None), None)
        whole = [source for source in level if source.alias == parts[0]]
        if whole:
            return REDACTED if any(source.hides for source in whole) else None
    if parts[0] not in SYSTEM_COLUMNS and not any(source.open for level in scope.levels for source in level):
        view.refuse(f"mentions {parts[0]}, which is not known")
    return None


def _of_alias(view: View, alias: str, name: str, scope: Scope) -> Mask | None:
    source = next((source for level in scope.levels for source in level if source.alias == alias), None)
    if source is None:
        view.refuse(f"mentions {alias}.{name}, which is not known")
    if name in source.columns:
        return source.columns[name]
    # a system column, or a function in the shape of a column
    return REDACTED if source.hides and name not in SYSTEM_COLUMNS else None


def _makes_rows(node: Tree) -> bool:
    raw = {"stmt": {"SelectStmt": {"targetList": [{"ResTarget": {"val": node}}]}}}
    return any(strings(call["funcname"])[-1] in SET_RETURNING for call in collect(raw).calls)


def _by_name(outputs: list[Output]) -> dict[str, Mask | None]:
    found: dict[str, Mask | None] = {}
    for name, mask in outputs:
        found[name] = mask or found.get(name)
    return found


def _merge(masks: tuple[Mask | None, ...]) -> Mask | None:
    if all(mask is None for mask in masks):
        return None
    return masks[0] if all(mask == masks[0] for mask in masks) else REDACTED


def _renamed(outputs: list[Output], names: list[str]) -> list[Output]:
    return [(names[n] if n < len(names) else name, mask) for n, (name, mask) in enumerate(outputs)]
