"""Statements that are no queries: the table of kinds, and the few that need more than a row of it."""

from __future__ import annotations

from hostagent.sql.analysis import Column, Kind, Name
from hostagent.sql.postgres import objects
from hostagent.sql.postgres.kinds import SYSTEM_OBJECTS, UTILITIES, Utility
from hostagent.sql.postgres.scope import Scope
from hostagent.sql.postgres.tree import Tree
from hostagent.sql.postgres.walk import Handler, Walk

# SET TRANSACTION and SET SESSION CHARACTERISTICS name several settings at once.
TRANSACTION_SETTINGS = {
    "TRANSACTION": "transaction_",
    "SESSION CHARACTERISTICS": "default_transaction_",
    "TRANSACTION SNAPSHOT": "transaction_",
}


def _utility(kind: str, row: Utility) -> Handler:
    def handler(walk: Walk, body: Tree, scope: Scope) -> None:
        walk.kinds.update(row.kinds)
        inner = Scope(scope)
        for field in row.writes:
            _write(walk, body.get(field, []), inner if row.visible else Scope())
        for field in row.names:
            _add(walk.writes, body.get(field, []))
        for field in row.calls:
            _add(walk.functions, body.get(field, []))
        if row.objects is not None:
            _objects(walk, body, *row.objects)
        objects_field = row.objects[:1] if row.objects is not None else ()
        walk.children(kind, body, inner, skip=(*row.writes, *row.names, *row.calls, *row.skip, *objects_field))

    return handler


def _write(walk: Walk, value: Tree | list[Tree], scope: Scope) -> None:
    for range_var in [item["RangeVar"] for item in value] if isinstance(value, list) else [value]:
        name = walk.write(range_var)
        for alias in (name.name, "old", "new"):
            scope.add(alias, str(name))


def _add(names: set[Name], parts: list[Tree]) -> None:
    name = objects.qualified(objects.strings(parts))
    if name is not None:
        names.add(name)


def _objects(walk: Walk, body: Tree, field: str, type_field: str) -> None:
    object_type = body.get(type_field, "")
    if object_type in SYSTEM_OBJECTS:
        walk.kinds.add(Kind.SYSTEM)
    if object_type == "OBJECT_ROLE":
        walk.kinds.add(Kind.ROLE)
    value = body.get(field, [])
    if field in ("func", "opername"):
        value = {"ObjectWithArgs": value}
    for node in value if isinstance(value, list) else [value]:
        name = objects.target(object_type, node)
        if name is not None and not walk.kinds & {Kind.SYSTEM, Kind.ROLE}:
            walk.writes.add(name)


_rename = _utility("RenameStmt", Utility((Kind.ALTER,), writes=("relation",), objects=("object", "renameType")))
_move = _utility(
    "AlterObjectSchemaStmt", Utility((Kind.ALTER,), writes=("relation",), objects=("object", "objectType"))
)


def rename(walk: Walk, body: Tree, scope: Scope) -> None:
    """RenameStmt: a relation appears under its new name, a schema with all that is in it."""
    _rename(walk, body, scope)
    if body.get("renameType") == "OBJECT_SCHEMA":
        walk.writes.update((Name(body["subname"], "*"), Name(body["newname"], "*")))
    elif "relation" in body and "subname" not in body:
        walk.writes.add(Name(body["relation"].get("schemaname", ""), body["newname"]))


def move(walk: Walk, body: Tree, scope: Scope) -> None:
    """AlterObjectSchemaStmt: an object appears in another schema."""
    _move(walk, body, scope)
    walk.writes.add(Name(body["newschema"], "*"))


def schema(walk: Walk, body: Tree, scope: Scope) -> None:
    """CreateSchemaStmt, with the statements in it; unnamed, it is named after its owner."""
    walk.kinds.add(Kind.CREATE)
    name = body.get("schemaname") or body.get("authrole", {}).get("rolename", "")
    walk.writes.add(Name(name, "*"))
    walk.children("CreateSchemaStmt", body, scope)


def copy(walk: Walk, body: Tree, scope: Scope) -> None:
    """CopyStmt: to or from the client, or a file or program of the server."""
    to_client = Kind.COPY_FROM if body.get("is_from") else Kind.COPY_TO
    walk.kinds.add(Kind.SERVER_FILE if body.get("filename") or body.get("is_program") else to_client)
    inner = Scope(scope)
    if "relation" in body:
        name = objects.relation(body["relation"])
        (walk.writes if body.get("is_from") else walk.reads).add(name)
        inner.add(name.name, str(name))
        walk.columns.update(Column(str(name), c) for c in objects.strings(body.get("attlist", [])) or ["*"])
    walk.children("CopyStmt", body, inner, skip=("relation", "attlist"))


def grant(walk: Walk, body: Tree, scope: Scope) -> None:
    """GrantStmt: on objects, on all objects of schemas, or the defaults of a role."""
    walk.kinds.add(Kind.GRANT if body.get("is_grant") else Kind.REVOKE)
    whole_schema = body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA"
    object_type = "OBJECT_SCHEMA" if whole_schema else body.get("objtype", "")
    names = [objects.target(object_type, node) for node in body.get("objects", [])]
    if object_type in SYSTEM_OBJECTS:
        walk.kinds.add(Kind.SYSTEM)
    else:
        walk.writes.update(name for name in names if name is not None)
    for item in body.get("privileges", []):
        columns = objects.strings(item["AccessPriv"].get("cols", []))
        walk.columns.update(Column(str(name), c) for name in names if name is not None for c in columns)
    walk.children("GrantStmt", body, scope, skip=("objects", "privileges"))


def grant_role(walk: Walk, body: Tree, scope: Scope) -> None:
    """GrantRoleStmt: membership of a role."""
    walk.kinds.update((Kind.ROLE, Kind.GRANT if body.get("is_grant") else Kind.REVOKE))
    walk.children("GrantRoleStmt", body, scope, skip=("granted_roles",))


def variable_set(walk: Walk, body: Tree, scope: Scope) -> None:
    """VariableSetStmt: SET, RESET, and the SET of ALTER SYSTEM, ROLE, DATABASE and FUNCTION."""
    walk.kinds.add(Kind.SET)
    name = body.get("name", "")
    if body["kind"] == "VAR_RESET_ALL":
        walk.settings.add("*")
    elif body["kind"] == "VAR_SET_MULTI" and name == "TRANSACTION SNAPSHOT":
        walk.settings.add("transaction_snapshot")
    elif body["kind"] == "VAR_SET_MULTI":
        options = [item["DefElem"]["defname"] for item in body.get("args", [])]
        prefix = TRANSACTION_SETTINGS[name]
        walk.settings.update(prefix + option.removeprefix("transaction_") for option in options)
    else:
        walk.settings.add(name.lower())
    walk.children("VariableSetStmt", body, scope)


def discard(walk: Walk, body: Tree, _: Scope) -> None:
    """DiscardStmt."""
    walk.kinds.add(Kind.SET)
    if body.get("target") == "DISCARD_ALL":
        walk.settings.add("*")


def reindex(walk: Walk, body: Tree, scope: Scope) -> None:
    """ReindexStmt: of a relation, or of a schema or database by name."""
    walk.kinds.add(Kind.MAINTENANCE)
    if "relation" in body:
        walk.write(body["relation"])
    elif body.get("kind") == "REINDEX_OBJECT_SCHEMA":
        walk.writes.add(Name(body["name"], "*"))
    walk.children("ReindexStmt", body, scope, skip=("relation",))


def vacuum_relation(walk: Walk, body: Tree, _: Scope) -> None:
    """VacuumRelation: a relation of VACUUM or ANALYZE, with its columns."""
    name = walk.write(body["relation"])
    walk.columns.update(Column(str(name), c) for c in objects.strings(body.get("va_cols", [])))


def alter_table_cmd(walk: Walk, body: Tree, scope: Scope) -> None:
    """AlterTableCmd: INHERIT and NO INHERIT name another relation that changes."""
    definition = body.get("def", {})
    if "RangeVar" in definition:
        walk.write(definition["RangeVar"])
        return
    walk.children("AlterTableCmd", body, scope)


def import_schema(walk: Walk, body: Tree, scope: Scope) -> None:
    """ImportForeignSchemaStmt: makes tables in the local schema; its table list names remote ones."""
    walk.kinds.update((Kind.CREATE, Kind.SYSTEM))
    walk.writes.add(Name(body["local_schema"], "*"))
    walk.children("ImportForeignSchemaStmt", body, scope, skip=("table_list",))


def publication_table(walk: Walk, body: Tree, scope: Scope) -> None:
    """PublicationTable: a relation whose changes leave the server."""
    name = objects.relation(body["relation"])
    walk.reads.add(name)
    inner = Scope(scope)
    inner.add(name.name, str(name))
    walk.columns.update(Column(str(name), c) for c in objects.strings(body.get("columns", [])) or ["*"])
    walk.children("PublicationTable", body, inner, skip=("relation", "columns"))


HANDLERS: dict[str, Handler] = {
    **{kind: _utility(kind, row) for kind, row in UTILITIES.items()},
    "AlterObjectSchemaStmt": move,
    "AlterTableCmd": alter_table_cmd,
    "CopyStmt": copy,
    "CreateSchemaStmt": schema,
    "DiscardStmt": discard,
    "GrantRoleStmt": grant_role,
    "GrantStmt": grant,
    "ImportForeignSchemaStmt": import_schema,
    "PublicationTable": publication_table,
    "ReindexStmt": reindex,
    "RenameStmt": rename,
    "VacuumRelation": vacuum_relation,
    "VariableSetStmt": variable_set,
}
