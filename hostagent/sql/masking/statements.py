"""Statements in a session with masks: which kinds can be made safe at all, and in what order.

A closed list. What makes code that runs out of sight (functions, triggers, rules, policies, casts, operators), reaches
other servers or files, or renames what policy goes by, is refused whatever it touches.
"""

from __future__ import annotations

from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.sites import Role, Statement
from hostagent.sql.postgres.tree import Tree

_QUERIES = frozenset(
    {
        "CopyStmt",
        "CreateTableAsStmt",
        "DeclareCursorStmt",
        "DeleteStmt",
        "ExecuteStmt",
        "ExplainStmt",
        "InsertStmt",
        "MergeStmt",
        "PrepareStmt",
        "SelectStmt",
        "UpdateStmt",
        "ViewStmt",
    }
)
_SESSION = frozenset(
    {
        "CheckPointStmt",
        "ClosePortalStmt",
        "ConstraintsSetStmt",
        "DeallocateStmt",
        "DiscardStmt",
        "FetchStmt",
        "ListenStmt",
        "LockStmt",
        "NotifyStmt",
        "TransactionStmt",
        "UnlistenStmt",
        "VariableSetStmt",
        "VariableShowStmt",
    }
)
_DEFINITIONS = frozenset(
    {
        "AlterDefaultPrivilegesStmt",
        "AlterDomainStmt",
        "AlterEnumStmt",
        "AlterObjectSchemaStmt",
        "AlterOwnerStmt",
        "AlterRoleSetStmt",
        "AlterRoleStmt",
        "AlterSeqStmt",
        "AlterStatsStmt",
        "AlterTableStmt",
        "AlterTypeStmt",
        "ClusterStmt",
        "CommentStmt",
        "CompositeTypeStmt",
        "CreateDomainStmt",
        "CreateEnumStmt",
        "CreateRoleStmt",
        "CreateSchemaStmt",
        "CreateSeqStmt",
        "CreateStatsStmt",
        "CreateStmt",
        "DropOwnedStmt",
        "DropRoleStmt",
        "DropStmt",
        "GrantRoleStmt",
        "GrantStmt",
        "IndexStmt",
        "ReassignOwnedStmt",
        "RefreshMatViewStmt",
        "ReindexStmt",
        "RenameStmt",
        "ReplicaIdentityStmt",
        "TruncateStmt",
        "VacuumStmt",
    }
)
_ALLOWED = _QUERIES | _SESSION | _DEFINITIONS

_WHY = {
    "DoStmt": ("what a DO block does cannot be seen", "send its statements one by one"),
    "CallStmt": ("what a procedure does cannot be seen", "send its statements one by one"),
}
# Settings that change how a text is read, or that send what the server makes of it to the client.
READING = frozenset(
    {
        "backslash_quote",
        "client_encoding",
        "debug_print_parse",
        "debug_print_plan",
        "debug_print_raw_parse",
        "debug_print_rewritten",
        "log_min_duration_sample",
        "log_min_duration_statement",
        "log_statement",
        "names",
        "standard_conforming_strings",
    }
)
_AS_IT_IS = {
    "client_encoding": ("utf8", "utf-8", "unicode"),
    "names": ("utf8", "utf-8"),
    "standard_conforming_strings": ("on", "true"),
}
_PATH = frozenset({"search_path", "role", "session_authorization"})


def check_statement(statement: Statement) -> None:
    """Raises Refused for a statement that cannot be made safe whatever it names."""
    for kind in statement.kinds:
        if kind.endswith("Stmt") and kind not in _ALLOWED:
            raise Refused(*_WHY.get(kind, (_unseen(kind), "let somebody without masks run it")))
    for kind, body in statement.nodes:
        _check_node(kind, body)


def check_order(statements: list[Statement]) -> None:
    """Raises Refused where a statement changes what the names of a later one in the same text mean."""
    for index, statement in enumerate(statements[:-1]):
        if _moves_names(statement):
            later = statements[index + 1 :]
            if any(s.role is not Role.CREATED and not s.name.schema for one in later for s in one.sites):
                raise Refused("names mean something else after a statement of the same text", "send them one by one")


def _unseen(kind: str) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in kind.removesuffix("Stmt")).strip()
    return f"what this statement ({words}) brings about cannot be seen"


def _check_node(kind: str, body: Tree) -> None:
    if kind == "ExplainStmt" and "ExecuteStmt" in body["query"]:
        raise Refused("a plan of a prepared statement tells of masked values", "EXPLAIN the statement itself")
    if kind in ("VariableSetStmt", "VariableShowStmt"):
        _check_setting(kind, body)
    if kind == "CopyStmt" and (body.get("filename") or body.get("is_program")):
        raise Refused("files and programs of the server are out of sight", "COPY … TO STDOUT or FROM STDIN")
    if kind == "RenameStmt" and "relation" not in body and body.get("renameType") not in ("OBJECT_ROLE", "OBJECT_TYPE"):
        raise Refused("masks go by names: this cannot be renamed here", "let somebody without masks run it")
    if kind == "AlterObjectSchemaStmt" and "relation" not in body:
        raise Refused("masks go by names: this cannot be moved here", "let somebody without masks run it")
    if kind == "ReindexStmt" and "relation" not in body:
        raise Refused("what is rebuilt is not named", "REINDEX TABLE with a name")


def _check_setting(kind: str, body: Tree) -> None:
    name = body.get("name", "").lower()
    if "." in name:
        raise Refused("settings that somebody made are out of sight", "use settings of the server")
    if kind == "VariableSetStmt" and name in READING and body.get("kind") != "VAR_RESET":
        arguments = [item.get("A_Const", {}).get("sval", {}).get("sval", "").lower() for item in body.get("args", [])]
        if len(arguments) != 1 or arguments[0] not in _AS_IT_IS.get(name, ()):
            raise Refused(f"the setting {name} changes how statements are read or shown", "leave it as it is")


def _moves_names(statement: Statement) -> bool:
    body = statement.body
    if statement.kind == "VariableSetStmt":
        return body.get("kind") == "VAR_RESET_ALL" or body.get("name", "").lower() in _PATH
    if statement.kind == "TransactionStmt":
        return body.get("kind") in ("TRANS_STMT_ROLLBACK", "TRANS_STMT_ROLLBACK_TO")
    called = {item["String"].get("sval") for call in statement.calls for item in call["funcname"] if "String" in item}
    return statement.kind == "DiscardStmt" or "set_config" in called
