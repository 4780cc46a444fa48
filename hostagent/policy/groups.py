"""Groups of statement kinds, and settings that only an explicit rule lets through.

`read` and `write` follow PostgreSQL's own division in `log_statement` (mod holds TRUNCATE and COPY FROM). Every kind is
in exactly one group; `any` holds all.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind

GROUPS: dict[str, frozenset[Kind]] = {
    "read": frozenset({Kind.SELECT, Kind.COPY_TO, Kind.CURSOR, Kind.EXPLAIN}),
    "write": frozenset(
        {
            Kind.INSERT,
            Kind.UPDATE,
            Kind.DELETE,
            Kind.MERGE,
            Kind.TRUNCATE,
            Kind.COPY_FROM,
            Kind.LOCK,
            Kind.CALL,
        }
    ),
    "ddl": frozenset({Kind.CREATE, Kind.ALTER, Kind.DROP, Kind.COMMENT}),
    "admin": frozenset(
        {
            Kind.GRANT,
            Kind.REVOKE,
            Kind.ROLE,
            Kind.MAINTENANCE,
            Kind.SYSTEM,
            Kind.SERVER_FILE,
            Kind.DO,
            Kind.FUNCTION_CALL,
        }
    ),
    "session": frozenset(
        {
            Kind.TRANSACTION,
            Kind.SET,
            Kind.SHOW,
            Kind.PREPARE,
            Kind.EXECUTE,
            Kind.DEALLOCATE,
            Kind.NOTIFY,
            Kind.EMPTY,
        }
    ),
}
KIND_WORDS: dict[str, frozenset[Kind]] = {
    "any": frozenset(Kind),
    **GROUPS,
    **{kind.value: frozenset({kind}) for kind in Kind},
}

# Who one is, how statements are read, what is loaded, which checks run: only an allow that names them covers them.
DANGEROUS_SETTINGS = frozenset(
    {
        "role",
        "session_authorization",
        "standard_conforming_strings",
        "backslash_quote",
        "client_encoding",
        "names",
        "session_replication_role",
        "allow_system_table_mods",
        "dynamic_library_path",
        "local_preload_libraries",
        "session_preload_libraries",
        "lo_compat_privileges",
        "transaction_snapshot",
        "zero_damaged_pages",
        "ignore_system_indexes",
        "ignore_checksum_failure",
    }
)
EVERY_SETTING = "*"  # in an analysis: RESET ALL and DISCARD ALL; beside set_config, a name that is not known
