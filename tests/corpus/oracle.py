"""What a statement must be said to do, read from libpg_query's protobuf tree: another way than the analyzer's JSON.

It knows no scopes and no table of statements: only which messages are somewhere in the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google._upb._message import SetAllowOversizeProtos
from postgast import parse, pg_query_pb2

from hostagent.sql.analysis import Kind, Name, Statement

SetAllowOversizeProtos(True)  # trees deeper than 100 levels are decoded too

ANYWHERE = {
    "CallStmt": Kind.CALL,
    "CreateFunctionStmt": Kind.CREATE,
    "CreateStmt": Kind.CREATE,
    "DeleteStmt": Kind.DELETE,
    "ExecuteStmt": Kind.EXECUTE,
    "InsertStmt": Kind.INSERT,
    "IntoClause": Kind.CREATE,
    "LockingClause": Kind.LOCK,
    "MergeStmt": Kind.MERGE,
    "UpdateStmt": Kind.UPDATE,
    "VariableSetStmt": Kind.SET,
}
TOP = {
    "CheckPointStmt": "maintenance",
    "ClosePortalStmt": "cursor",
    "ClusterStmt": "maintenance",
    "CompositeTypeStmt": "create",
    "ConstraintsSetStmt": "set",
    "DeclareCursorStmt": "cursor",
    "DefineStmt": "create",
    "DiscardStmt": "set",
    "FetchStmt": "cursor",
    "GrantRoleStmt": "grant revoke",
    "GrantStmt": "grant revoke",
    "IndexStmt": "create",
    "ImportForeignSchemaStmt": "system",
    "ListenStmt": "notify",
    "LoadStmt": "server_file",
    "PrepareStmt": "prepare",
    "ReassignOwnedStmt": "role",
    "RefreshMatViewStmt": "maintenance",
    "ReindexStmt": "maintenance",
    "RenameStmt": "alter",
    "RuleStmt": "create",
    "SecLabelStmt": "comment",
    "UnlistenStmt": "notify",
    "VacuumStmt": "maintenance",
    "VariableSetStmt": "set",
    "VariableShowStmt": "show",
    "ViewStmt": "create",
    "AlterDefaultPrivilegesStmt": "role",
    "AlterSystemStmt": "system",
    "CopyStmt": "copy_to copy_from server_file",
}
DERIVES = frozenset({"CommonTableExpr", "JsonTable", "RangeFunction", "RangeSubselect", "RangeTableFunc"})
NO_RELATIONS = frozenset({"LockingClause", "ConstraintsSetStmt", "ImportForeignSchemaStmt"})


def complaints(text: str, statements: tuple[Statement, ...]) -> list[str]:
    """Where the analysis of a text says less than its tree shows; empty when it agrees."""
    trees = list(parse(text).stmts)
    if not trees:
        return [] if [s.kinds for s in statements] == [{Kind.EMPTY}] else ["not empty"]
    if len(trees) != len(statements):
        return [f"{len(trees)} statements, not {len(statements)}"]
    return [c for tree, s in zip(trees, statements, strict=True) for c in _compare(tree.stmt, s)]


def _compare(tree: Any, said: Statement) -> Iterator[str]:
    top = tree.WhichOneof("node")
    name = getattr(tree, top).DESCRIPTOR.name
    if said.kinds.isdisjoint(_primary(name, tree)):
        yield f"{name}: kinds {sorted(said.kinds)}"
    seen = list(_messages(tree, ""))
    types = {m.DESCRIPTOR.name for m, _ in seen}
    ctes = {m.ctename for m, _ in seen if m.DESCRIPTOR.name == "CommonTableExpr"}
    touched = said.reads | said.writes
    for message, parent in seen:
        kind = message.DESCRIPTOR.name
        if kind in ANYWHERE and ANYWHERE[kind] not in said.kinds:
            yield f"{kind} without {ANYWHERE[kind]}"
        if kind == "SelectStmt" and not message.values_lists and Kind.SELECT not in said.kinds:
            yield "SelectStmt without select"
        if kind == "RangeVar" and parent not in NO_RELATIONS:
            relation = Name(message.schemaname, message.relname)
            if relation not in touched and not (not relation.schema and relation.name in ctes):
                yield f"relation {relation} not in {sorted(touched)}"
        if kind == "FuncCall":
            parts = [n.string.sval for n in message.funcname]
            if Name(parts[-2] if len(parts) > 1 else "", parts[-1]) not in said.functions:
                yield f"function {'.'.join(parts)}"
        if kind == "ColumnRef" and types.isdisjoint(DERIVES) and "RuleStmt" not in types:
            last = message.fields[-1]
            column = last.string.sval if last.HasField("string") else "*"
            if column not in {c.name for c in said.columns} and not _union(seen):
                yield f"column {column}"


def _primary(name: str, tree: Any) -> set[str]:
    if name in TOP:
        return set(TOP[name].split())
    for verb in ("Create", "Alter", "Drop"):
        if name.startswith(verb):
            return {verb.lower()}
    if name == "ReplicaIdentityStmt":
        return {"alter"}
    return {name.removesuffix("Stmt").lower()}


def _union(seen: list[tuple[Any, str]]) -> bool:
    return any(m.DESCRIPTOR.name == "SelectStmt" and m.op > pg_query_pb2.SETOP_NONE for m, _ in seen)


def _messages(message: Any, parent: str) -> Iterator[tuple[Any, str]]:
    """All messages below one, each with the type of the one it stands in; Node wrappers are looked through."""
    name = message.DESCRIPTOR.name
    if name != "Node":
        yield message, parent
        parent = name
    if name == "TypeName":  # what stands in the parentheses of a type are constants or words, never columns
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if field.is_repeated else (value,):
            yield from _messages(item, parent)
