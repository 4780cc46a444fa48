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
