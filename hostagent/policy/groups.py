"""Groups of kinds, and settings and environment variables that need no rule, or one of their own.

`read` and `write` follow PostgreSQL's own division in `log_statement` (mod holds TRUNCATE and COPY FROM). Every kind of
statement is in exactly one group; of SSH operations only those that one would allow together. `any` holds all: those
of the protocol that the target speaks. No word means something in both.
"""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.ssh.operation import SshKind

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

SSH_GROUPS: dict[str, frozenset[SshKind]] = {
    "file_read": frozenset(
        {SshKind.SFTP_READ, SshKind.SFTP_LIST, SshKind.SFTP_STAT, SshKind.SCP_READ, SshKind.RSYNC_READ}
    ),
    "file_write": frozenset(
        {
            SshKind.SFTP_WRITE,
            SshKind.SFTP_DELETE,
            SshKind.SFTP_RENAME,
            SshKind.SFTP_LINK,
            SshKind.SFTP_ATTRS,
            SshKind.SFTP_MKDIR,
            SshKind.SCP_WRITE,
            SshKind.RSYNC_WRITE,
        }
    ),
    "git": frozenset({SshKind.GIT_FETCH, SshKind.GIT_PUSH}),
    "interactive": frozenset({SshKind.SHELL, SshKind.SHELL_NO_PTY}),
    "forward": frozenset(
        {SshKind.FORWARD_LOCAL, SshKind.FORWARD_REMOTE, SshKind.FORWARD_STREAM, SshKind.FORWARD_STREAM_REMOTE}
    ),
}
SSH_WORDS: dict[str, frozenset[SshKind]] = {
    "any": frozenset(SshKind),
    **SSH_GROUPS,
    **{kind.value: frozenset({kind}) for kind in SshKind},
}

# What clients send unasked, and what says how text is shown or which version of git's protocol is spoken.
HARMLESS_ENVIRONMENT = ("LANG", "LC_*", "TERM", "GIT_PROTOCOL")

# MySQL's and MariaDB's own among DANGEROUS_SETTINGS.
MYSQL_DANGEROUS = frozenset(
    {
        "binlog_format", "character_set", "character_set_client", "character_set_connection", "character_set_database",
        "character_set_filesystem", "character_set_results", "character_set_server", "character_sets_dir",
        "check_constraint_checks", "collation_connection", "collation_database", "collation_server", "debug",
        "debug_dbug", "debug_sync", "default_master_connection", "default_storage_engine", "external_user",
        "foreign_key_checks", "gtid_domain_id", "gtid_next", "gtid_seq_no", "optimizer_trace", "proxy_user",
        "pseudo_slave_mode", "pseudo_thread_id", "secure_timestamp", "server_id", "session_track_schema",
        "session_track_state_change", "session_track_system_variables", "session_track_transaction_info",
        "skip_replication", "sql_log_bin", "sql_log_off", "sql_mode", "storage_engine",
        "system_versioning_alter_history", "system_versioning_insert_history", "timestamp", "unique_checks", "wsrep_on",
    }
)  # fmt: skip

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
        *MYSQL_DANGEROUS,
    }
)
# What MySQL's clients send unasked, by the value that they set: UTF-8, results as they are stored, and modes that say
# what is checked.
HARMLESS_SETTINGS = frozenset({"names_utf8", "character_set_utf8", "character_set_as_stored", "sql_mode_checks"})
EVERY_SETTING = "*"  # in an analysis: RESET ALL and DISCARD ALL; beside set_config, a name that is not known
