"""Sites: every place of a parse tree that names a relation, calls a function or refers to a column, with its role.

The collector meets every node: what it has no rule for is walked through, so no relation can hide in a clause that
nobody thought of. Two rules matter: a name is a CTE only where PostgreSQL would see that CTE (a CTE is sent as it is),
and a relation is READ only in a FROM list; anywhere else it is something that is done to the relation itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from hostagent.sql.analysis import Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Needs
from hostagent.sql.postgres.expression import JSON_SYNTAX
from hostagent.sql.postgres.objects import qualified, relation, strings
from hostagent.sql.postgres.tree import FIELDS, NODE, Tree

WRITING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
MAKING = frozenset({"IntoClause", "CreateTableAsStmt", "ViewStmt"})
CHECKED = frozenset(
    {
        "AlterObjectSchemaStmt",
        "CopyStmt",
        "ExplainStmt",
        "ReindexStmt",
        "RenameStmt",
        "VariableSetStmt",
        "VariableShowStmt",
    }
)
# node type: the field with the name of what is made
_CREATED = {
    "CompositeTypeStmt": "typevar",
    "CreateSeqStmt": "sequence",
    "CreateStmt": "relation",
    "IntoClause": "rel",
    "ViewStmt": "view",
}


class Role(Enum):
    """What a relation is named for."""

    READ = auto()  # in a FROM list
    SAMPLED = auto()  # in a FROM list, under TABLESAMPLE
    TARGET = auto()  # rows are written; also COPY … FROM
    COPIED = auto()  # COPY relation TO
    TOUCHED = auto()  # any other statement
    CREATED = auto()


@dataclass(slots=True)
class Site:
    """One RangeVar. `slot` is where its node hangs: a list or dictionary, and the place in it."""

    body: Tree
    role: Role
    name: Name
    slot: tuple[Any, Any] | None = None
    node: Tree = field(default_factory=dict)  # for TARGET and COPIED, the body of the statement
    kind: str = ""  # for TARGET and TOUCHED, the statement's node type

    @property
    def alias(self) -> str:
        """The name that columns are qualified with."""
        name: str = self.body.get("alias", {}).get("aliasname") or self.body["relname"]
        return name


@dataclass(slots=True)
class Statement:
    """What one statement of the text names."""

    kind: str
    body: Tree
    sites: list[Site] = field(default_factory=list)
    calls: list[Tree] = field(default_factory=list)
    columns: list[Tree] = field(default_factory=list)
    operators: set[Name] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    samplers: set[Name] = field(default_factory=set)
    syntax: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    types: set[Name] = field(default_factory=set)
    nodes: list[tuple[str, Tree]] = field(default_factory=list)  # those of CHECKED

    @property
    def writes(self) -> bool:
        """Whether it changes rows or makes something."""
        return not self.kinds.isdisjoint(WRITING | MAKING)

    @property
    def returns_to_client(self) -> bool:
        """Whether what RETURNING gives cannot be written elsewhere by the same statement."""
        return self.kinds.isdisjoint(MAKING) and sum(site.role is Role.TARGET for site in self.sites) == 1

    def needs(self) -> Needs:
        """What must be known of the server for it."""
        called = [name for call in self.calls if (name := qualified(strings(call["funcname"]))) is not None]
        return Needs(
            frozenset(s.name for s in self.sites if s.role is not Role.CREATED),
            frozenset(n.name for n in called if n.schema != "pg_catalog") | self.fields | self.syntax,
            frozenset(n.name for n in self.operators if n.schema != "pg_catalog"),
            bool(self.types),
        )


_Ctes = frozenset[str]


def collect(raw_statement: Tree) -> Statement:
    """The sites of one statement (a RawStmt). Raises Refused for a name with a database before it."""
    (kind, body), *_ = raw_statement["stmt"].items()
    found = Statement(kind, body)
    _Collector(found).visit(kind, body, frozenset(), None)
    return found


class _Collector:
    __slots__ = ("_found",)

    def __init__(self, found: Statement) -> None:
        self._found = found

    def visit(self, kind: str, body: Tree, ctes: _Ctes, slot: tuple[Any, Any] | None) -> None:
        """Meets a node and all below it; `ctes` are those that it sees."""
        self._found.kinds.add(kind)
        if "withClause" in body:
            ctes = self._with(body["withClause"], ctes)
        match kind:
            case "RangeVar":
                return self._site(body, Role.TOUCHED, ctes, slot, self._found.kind)
            case "FuncCall":
                if len(body["funcname"]) > 2:
                    raise Refused("a name with a database before it is not resolved here", "write schema.function")
                self._found.calls.append(body)
            case "ColumnRef":
                self._column(body)
            case "A_Indirection":
                self._found.fields.update(strings(body["indirection"]))
            case "A_Expr" | "SubLink" | "SortBy" | "CaseExpr" | "JoinExpr":
                self._operator(kind, body)
            case "TypeName":
                name = qualified(strings(body.get("names", []))) or Name("", "")
                self._found.types.add(Name(name.schema, name.name.removeprefix("_")))
            case "JsonFuncExpr":
                self._found.syntax.add(body["op"].removesuffix("_OP").lower())
            case "RangeTableSample":
                self._found.samplers.add(qualified(strings(body["method"])) or Name("", ""))
        if kind in CHECKED:
            self._found.nodes.append((kind, body))
        if kind in JSON_SYNTAX:
            self._found.syntax.add(JSON_SYNTAX[kind])
        if kind in _SPECIAL:
            return self._special(kind, body, ctes)
        return self._children(kind, body, ctes, {"withClause"})

    def _special(self, kind: str, body: Tree, ctes: _Ctes) -> None:
        """Statements with a field whose relations have a role of their own."""
        done = {"withClause"}
        if kind in _CREATED:
            field_ = _CREATED[kind]
            self._site(body[field_], Role.CREATED, ctes, None)
            done.add(field_)
        elif kind in WRITING:
            self._site(body["relation"], Role.TARGET, frozenset(), None, kind, body)
            done.add("relation")
        elif kind == "CopyStmt" and "relation" in body:
            role = Role.TARGET if body.get("is_from") else Role.COPIED
            self._site(body["relation"], role, frozenset(), None, kind, body)
            done.add("relation")
        for field_ in _FROM.get(kind, ()):
            if field_ in body:
                self._from(body, field_, ctes)
                done.add(field_)
        if kind == "SelectStmt":
            done.add("lockingClause")  # its names are aliases of the FROM list
        self._children(kind, body, ctes, done)

    def _children(self, kind: str, body: Tree, ctes: _Ctes, skip: set[str]) -> None:
        fields = FIELDS[kind]
        for key, value in body.items():
            child = fields.get(key)
            if child is None or key in skip:
                continue
            if isinstance(value, list):
                for index, item in enumerate(value):
                    self._child(child, item, ctes, (value, index))
            else:
                self._child(child, value, ctes, (body, key))

    def _child(self, child: str, value: Tree, ctes: _Ctes, slot: tuple[Any, Any]) -> None:
        if child == NODE:
            for kind, body in value.items():
                self.visit(kind, body, ctes, slot)
        else:
            self.visit(child, value, ctes, None)

    def _with(self, clause: Tree, ctes: _Ctes) -> _Ctes:
        """Each CTE sees those before it, or all of them when RECURSIVE; what follows sees all."""
        self._found.kinds.add("WithClause")
        items = [item["CommonTableExpr"] for item in clause.get("ctes", [])]
        if clause.get("recursive"):
            ctes |= {cte["ctename"] for cte in items}
        for cte in items:
            self._children("CommonTableExpr", cte, ctes, set())
            ctes |= {cte["ctename"]}
        return ctes

    def _from(self, body: Tree, field_: str, ctes: _Ctes) -> None:
        value = body[field_]
        slots: list[tuple[Any, Any]] = [(body, field_)]
        if isinstance(value, list):
            slots = [(value, index) for index in range(len(value))]
        for slot in slots:
            for kind, item in slot[0][slot[1]].items():
                self._item(kind, item, ctes, slot)

    def _item(self, kind: str, body: Tree, ctes: _Ctes, slot: tuple[Any, Any]) -> None:
        """One item of a FROM list."""
        if kind == "RangeVar":
            self._site(body, Role.READ, ctes, slot)
        elif kind == "RangeTableSample" and "RangeVar" in body["relation"]:
            self._site(body["relation"]["RangeVar"], Role.SAMPLED, ctes, None)
            self._found.kinds.add(kind)
            self._found.samplers.add(qualified(strings(body["method"])) or Name("", ""))
            self._children(kind, body, ctes, {"relation"})
        elif kind == "JoinExpr":
            self._from(body, "larg", ctes)
            self._from(body, "rarg", ctes)
            self._found.kinds.add(kind)
            self._operator(kind, body)
            self._children(kind, body, ctes, {"larg", "rarg"})
        else:
            self.visit(kind, body, ctes, slot)

    def _site(
        self,
        body: Tree,
        role: Role,
        ctes: _Ctes,
        slot: tuple[Any, Any] | None,
        kind: str = "",
        node: Tree | None = None,
    ) -> None:
        if "catalogname" in body:
            raise Refused("a name with a database before it is not resolved here", "write schema.relation")
        name = relation(body)
        if role in (Role.READ, Role.SAMPLED) and not name.schema and name.name in ctes:
            return
        self._found.sites.append(Site(body, role, name, slot, node or {}, kind))

    def _column(self, body: Tree) -> None:
        self._found.columns.append(body)
        parts = strings(body["fields"])
        if len(parts) > 1:
            self._found.fields.add(parts[-1])

    def _operator(self, kind: str, body: Tree) -> None:
        """The operators of an expression, those that are not written too (parser/parse_expr.c, parse_clause.c)."""
        written = qualified(strings(body.get(_OPERATOR.get(kind, ""), [])))
        if kind == "A_Expr" and "BETWEEN" in body["kind"]:
            self._found.operators |= {Name("", name) for name in ("<", "<=", ">", ">=")}
        elif written is not None:
            self._found.operators.add(written)
        elif kind != "SortBy":  # IN (SELECT …), CASE x WHEN, USING, NATURAL
            self._found.operators.add(Name("", "="))


_FROM = {
    "SelectStmt": ("fromClause",),
    "UpdateStmt": ("fromClause",),
    "DeleteStmt": ("usingClause",),
    "MergeStmt": ("sourceRelation",),
}
_SPECIAL = frozenset({*_CREATED, *WRITING, *_FROM, "CopyStmt"})
_OPERATOR = {"A_Expr": "name", "SubLink": "operName", "SortBy": "useOp"}


def walk(kind: str, body: Any) -> Iterator[tuple[str, Tree]]:
    """All nodes below and with a node: (type, body)."""
    stack: list[tuple[str, Any]] = [(kind, body)]
    while stack:
        kind, body = stack.pop()
        yield kind, body
        fields = FIELDS[kind]
        for key, value in body.items():
            child = fields.get(key)
            if child is None:
                continue
            for item in value if isinstance(value, list) else [value]:
                if child == NODE:
                    stack.extend(item.items())
                else:
                    stack.append((child, item))
