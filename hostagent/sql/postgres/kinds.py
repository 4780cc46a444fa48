"""The closed table of statements that are no queries: node type → kinds, and where their targets stand.

A statement that is neither here nor handled by name is not analyzed. What belongs to the whole server or database
(extensions, foreign servers, publications, languages, casts …) is SYSTEM besides its verb; what belongs to
roles is ROLE.
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.sql.analysis import Kind


@dataclass(frozen=True, slots=True)
class Utility:
    """`writes`: fields with relations that are changed. `names`: fields with one name, text or list of texts.

    `objects`: (field of the object or objects, field of the object type). `calls`: fields with a function's name.
    `skip`: fields that hold names of something else. `visible`: its expressions see the columns of `writes`.
    """

    kinds: tuple[Kind, ...]
    writes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    objects: tuple[str, str] | None = None
    calls: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    visible: bool = True


_CREATE = (Kind.CREATE,)
_ALTER = (Kind.ALTER,)
_CREATE_SYSTEM = (Kind.CREATE, Kind.SYSTEM)
_ALTER_SYSTEM = (Kind.ALTER, Kind.SYSTEM)
_DROP_SYSTEM = (Kind.DROP, Kind.SYSTEM)
_MAINTENANCE = (Kind.MAINTENANCE,)

SYSTEM_OBJECTS = frozenset(
    {
        "OBJECT_ACCESS_METHOD",
        "OBJECT_CAST",
        "OBJECT_DATABASE",
        "OBJECT_EVENT_TRIGGER",
        "OBJECT_EXTENSION",
        "OBJECT_FDW",
        "OBJECT_FOREIGN_SERVER",
        "OBJECT_LANGUAGE",
        "OBJECT_LARGEOBJECT",
        "OBJECT_PARAMETER_ACL",
        "OBJECT_PUBLICATION",
        "OBJECT_SUBSCRIPTION",
        "OBJECT_TABLESPACE",
        "OBJECT_TRANSFORM",
        "OBJECT_USER_MAPPING",
    }
)

UTILITIES: dict[str, Utility] = {
    # tables, views, indexes, sequences and what belongs to them
    "CreateStmt": Utility(_CREATE, writes=("relation", "inhRelations")),
    "CreateForeignTableStmt": Utility(_CREATE),
    "CreateTableAsStmt": Utility(_CREATE),
    "ViewStmt": Utility(_CREATE, writes=("view",), visible=False),
    "IndexStmt": Utility(_CREATE, writes=("relation",), skip=("excludeOpNames",)),
    "CreateSeqStmt": Utility(_CREATE, writes=("sequence",)),
    "CreateStatsStmt": Utility(_CREATE, names=("defnames",)),
    "CreateTrigStmt": Utility(_CREATE, writes=("relation",), calls=("funcname",), skip=("columns",)),
    "RuleStmt": Utility(_CREATE, writes=("relation",)),
    "CreatePolicyStmt": Utility(_CREATE, writes=("table",)),
    "AlterTableStmt": Utility(_ALTER, writes=("relation",)),
    "AlterSeqStmt": Utility(_ALTER, writes=("sequence",)),
    "AlterStatsStmt": Utility(_ALTER, names=("defnames",)),
    "AlterPolicyStmt": Utility(_ALTER, writes=("table",)),
    "AlterTableMoveAllStmt": Utility(_ALTER_SYSTEM),
    "PartitionCmd": Utility((), writes=("name",)),
    "ReplicaIdentityStmt": Utility(_ALTER),
    "TruncateStmt": Utility((Kind.TRUNCATE,), writes=("relations",)),
    "LockStmt": Utility((Kind.LOCK,), writes=("relations",)),
    # schemas, types, functions, operators, text search
    "CompositeTypeStmt": Utility(_CREATE, writes=("typevar",)),
    "CreateEnumStmt": Utility(_CREATE, names=("typeName",)),
    "CreateRangeStmt": Utility(_CREATE, names=("typeName",)),
    "CreateDomainStmt": Utility(_CREATE, names=("domainname",)),
    "CreateFunctionStmt": Utility(_CREATE, names=("funcname",)),
    "CreateCastStmt": Utility(_CREATE_SYSTEM),
    "CreateConversionStmt": Utility(_CREATE, names=("conversion_name",), skip=("func_name",)),
    "CreateOpClassStmt": Utility(_CREATE, names=("opclassname",), skip=("opfamilyname",)),
    "CreateOpFamilyStmt": Utility(_CREATE, names=("opfamilyname",)),
    "CreateTransformStmt": Utility(_CREATE_SYSTEM),
    "DefineStmt": Utility(_CREATE, names=("defnames",), skip=("args",)),
    "AlterCollationStmt": Utility(_ALTER, names=("collname",)),
    "AlterDomainStmt": Utility(_ALTER, names=("typeName",)),
    "AlterEnumStmt": Utility(_ALTER, names=("typeName",)),
    "AlterTypeStmt": Utility(_ALTER, names=("typeName",)),
    "AlterFunctionStmt": Utility(_ALTER, objects=("func", "objtype")),
    "AlterOperatorStmt": Utility(_ALTER, objects=("opername", "objtype")),
    "AlterOpFamilyStmt": Utility(_ALTER, names=("opfamilyname",)),
    "AlterTSConfigurationStmt": Utility(_ALTER, names=("cfgname",), skip=("dicts", "tokentype")),
    "AlterTSDictionaryStmt": Utility(_ALTER, names=("dictname",)),
    # any object
    "AlterObjectDependsStmt": Utility(_ALTER, writes=("relation",), objects=("object", "objectType")),
    "AlterOwnerStmt": Utility(_ALTER, writes=("relation",), objects=("object", "objectType")),
    "DropStmt": Utility((Kind.DROP,), objects=("objects", "removeType")),
    "CommentStmt": Utility((Kind.COMMENT,), objects=("object", "objtype")),
    "SecLabelStmt": Utility((Kind.COMMENT,), objects=("object", "objtype")),
    # the database and the server
    "AlterDatabaseRefreshCollStmt": Utility(_ALTER_SYSTEM),
    "AlterDatabaseSetStmt": Utility(_ALTER_SYSTEM),
    "AlterDatabaseStmt": Utility(_ALTER_SYSTEM),
    "AlterEventTrigStmt": Utility(_ALTER_SYSTEM),
    "AlterExtensionContentsStmt": Utility(_ALTER_SYSTEM, objects=("object", "objtype")),
    "AlterExtensionStmt": Utility(_ALTER_SYSTEM),
    "AlterFdwStmt": Utility(_ALTER_SYSTEM),
    "AlterForeignServerStmt": Utility(_ALTER_SYSTEM),
    "AlterPublicationStmt": Utility(_ALTER_SYSTEM),
    "AlterSubscriptionStmt": Utility(_ALTER_SYSTEM),
    "AlterSystemStmt": Utility((Kind.SYSTEM,)),
    "AlterTableSpaceOptionsStmt": Utility(_ALTER_SYSTEM),
    "AlterUserMappingStmt": Utility(_ALTER_SYSTEM),
    "CreateAmStmt": Utility(_CREATE_SYSTEM, calls=("handler_name",)),
    "CreateEventTrigStmt": Utility(_CREATE_SYSTEM, calls=("funcname",)),
    "CreateExtensionStmt": Utility(_CREATE_SYSTEM),
    "CreateFdwStmt": Utility(_CREATE_SYSTEM),
    "CreateForeignServerStmt": Utility(_CREATE_SYSTEM),
    "CreatePLangStmt": Utility(_CREATE_SYSTEM, skip=("plhandler", "plinline", "plvalidator")),
    "CreatePublicationStmt": Utility(_CREATE_SYSTEM),
    "CreateSubscriptionStmt": Utility(_CREATE_SYSTEM),
    "CreateTableSpaceStmt": Utility(_CREATE_SYSTEM),
    "CreateUserMappingStmt": Utility(_CREATE_SYSTEM),
    "CreatedbStmt": Utility(_CREATE_SYSTEM),
    "DropSubscriptionStmt": Utility(_DROP_SYSTEM),
    "DropTableSpaceStmt": Utility(_DROP_SYSTEM),
    "DropUserMappingStmt": Utility(_DROP_SYSTEM),
    "DropdbStmt": Utility(_DROP_SYSTEM),
    "LoadStmt": Utility((Kind.SERVER_FILE,)),
    # roles
    "AlterRoleSetStmt": Utility((Kind.ALTER, Kind.ROLE)),
    "AlterRoleStmt": Utility((Kind.ALTER, Kind.ROLE)),
    "CreateRoleStmt": Utility((Kind.CREATE, Kind.ROLE)),
    "DropOwnedStmt": Utility((Kind.DROP, Kind.ROLE)),
    "DropRoleStmt": Utility((Kind.DROP, Kind.ROLE)),
    "ReassignOwnedStmt": Utility((Kind.ALTER, Kind.ROLE)),
    "AlterDefaultPrivilegesStmt": Utility((Kind.ROLE,)),
    # upkeep
    "CheckPointStmt": Utility(_MAINTENANCE),
    "ClusterStmt": Utility(_MAINTENANCE, writes=("relation",)),
    "RefreshMatViewStmt": Utility(_MAINTENANCE, writes=("relation",)),
    "VacuumStmt": Utility(_MAINTENANCE),
    # the session
    "CallStmt": Utility((Kind.CALL,)),
    "ClosePortalStmt": Utility((Kind.CURSOR,)),
    "ConstraintsSetStmt": Utility((Kind.SET,), skip=("constraints",)),
    "DeallocateStmt": Utility((Kind.DEALLOCATE,)),
    "DeclareCursorStmt": Utility((Kind.CURSOR,)),
    "DoStmt": Utility((Kind.DO,)),
    "ExecuteStmt": Utility((Kind.EXECUTE,)),
    "ExplainStmt": Utility((Kind.EXPLAIN,)),
    "FetchStmt": Utility((Kind.CURSOR,)),
    "ListenStmt": Utility((Kind.NOTIFY,)),
    "NotifyStmt": Utility((Kind.NOTIFY,)),
    "PrepareStmt": Utility((Kind.PREPARE,)),
    "TransactionStmt": Utility((Kind.TRANSACTION,)),
    "UnlistenStmt": Utility((Kind.NOTIFY,)),
    "VariableShowStmt": Utility((Kind.SHOW,)),
}
