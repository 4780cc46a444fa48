"""The walk over a parse tree: every node is met, and a node that nobody knows ends the walk.

A node type is one of: handled (a function says what it means), utility (the table says it), passed (only its
children matter), leaf (nothing below it matters). Anything else raises Unseen: the text is then not analyzed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from hostagent.sql.analysis import Column, Kind, Name, Statement
from hostagent.sql.postgres.objects import relation
from hostagent.sql.postgres.scope import Scope
from hostagent.sql.postgres.tree import FIELDS, NODE, Tree

LEAVES = frozenset(
    {
        "A_Const",
        "A_Star",
        "Alias",
        "BitString",
        "Boolean",
        "CTESearchClause",
        "CurrentOfExpr",
        "Float",
        "Integer",
        "JsonFormat",
        "JsonTablePathSpec",
        "ParamRef",
        "RoleSpec",
        "SetToDefault",
        "SQLValueFunction",
        "String",
        "TriggerTransition",
        "TypeName",
    }
)

PASSED = frozenset(
    {
        "ATAlterConstraint",
        "A_ArrayExpr",
        "A_Indices",
        "A_Indirection",
        "BoolExpr",
        "BooleanTest",
        "CTECycleClause",
        "CaseExpr",
        "CaseWhen",
        "CoalesceExpr",
        "CollateClause",
        "ColumnDef",
        "CommonTableExpr",
        "Constraint",
        "CreateOpClassItem",
        "DefElem",
        "FunctionParameter",
        "GroupingFunc",
        "GroupingSet",
        "InferClause",
        "JsonAggConstructor",
        "JsonArgument",
        "JsonBehavior",
        "JsonIsPredicate",
        "JsonKeyValue",
        "JsonOutput",
        "JsonReturning",
        "JsonTableColumn",
        "JsonValueExpr",
        "List",
        "MinMaxExpr",
        "MultiAssignRef",
        "NamedArgExpr",
        "NullTest",
        "ObjectWithArgs",
        "PartitionBoundSpec",
        "PartitionElem",
        "PartitionRangeDatum",
        "PartitionSpec",
        "PublicationObjSpec",
        "RangeFunction",
        "RangeTableFunc",
        "RangeTableFuncCol",
        "ResTarget",
        "ReturnStmt",
        "ReturningClause",
        "ReturningOption",
        "RowExpr",
        "TableLikeClause",
        "TypeCast",
        "WindowDef",
        "XmlExpr",
        "XmlSerialize",
    }
)


class Unseen(Exception):
    """A node or a field that the walk does not know."""


Handler = Callable[["Walk", Tree, Scope], None]


class Walk:
    """What one statement was seen to do so far."""

    __slots__ = ("_handlers", "columns", "functions", "kinds", "reads", "settings", "writes")

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self.kinds: set[Kind] = set()
        self.reads: set[Name] = set()
        self.writes: set[Name] = set()
        self.columns: set[Column] = set()
        self.functions: set[Name] = set()
        self.settings: set[str] = set()

    def statement(self) -> Statement:
        """The finished statement."""
        return Statement(
            kinds=frozenset(self.kinds),
            reads=frozenset(self.reads),
            writes=frozenset(self.writes),
            columns=frozenset(self.columns),
            functions=frozenset(self.functions),
            settings=frozenset(self.settings),
        )

    def node(self, wrapped: Tree, scope: Scope) -> None:
        """Meets `{"Type": body}`; an empty dictionary is a NULL of the tree."""
        for kind, body in wrapped.items():
            self.visit(kind, body, scope)

    def nodes(self, wrapped: list[Tree], scope: Scope) -> None:
        """Meets each node of a list."""
        for item in wrapped:
            self.node(item, scope)

    def visit(self, kind: str, body: Tree, scope: Scope) -> None:
        """Meets a node of a known type."""
        if kind in LEAVES:
            return
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(self, body, scope)
        elif kind in PASSED:
            self.children(kind, body, scope)
        else:
            raise Unseen(kind)

    def children(self, kind: str, body: Tree, scope: Scope, skip: Collection[str] = ()) -> None:
        """Meets all nodes below one, but the fields of `skip`, which the caller has dealt with."""
        fields = FIELDS[kind]
        for key, value in body.items():
            shape = type(value)
            if (shape is not dict and shape is not list) or key in skip:
                continue
            self._field(fields.get(key), value if shape is list else (value,), scope)

    def _field(self, child: str | None, values: Collection[Any], scope: Scope) -> None:
        if child is None:
            raise Unseen("field")
        for value in values:
            if child == NODE:
                self.node(value, scope)
            else:
                self.visit(child, value, scope)

    def write(self, range_var: Tree) -> Name:
        """Notes the target of a change. A target is never a CTE."""
        name = relation(range_var)
        self.writes.add(name)
        return name
