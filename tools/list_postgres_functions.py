"""Writes hostagent/sql/data/postgres_functions.txt: the built-in functions of PostgreSQL that are harmless.

Not a parser of documentation: it asks a real server (a temporary one, made and thrown away here) what pg_catalog holds.
Rules: a name is listed when all of its overloads that SQL can call are immutable or stable, and none is in EXCLUDED,
where the reviewed exceptions stand with their reason; VOLATILE lists the reviewed ones that are volatile and harmless.
Usage, as root or as the server's user: list_postgres_functions.py /usr/lib/postgresql/15/bin > the file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# Volatile only because their answer changes. Sizes and recovery state are what psql's \d+ and drivers ask.
VOLATILE = frozenset(
    {
        "clock_timestamp",
        "gen_random_uuid",
        "pg_column_compression",
        "pg_database_size",
        "pg_indexes_size",
        "pg_is_in_recovery",
        "pg_partition_ancestors",
        "pg_partition_tree",
        "pg_relation_size",
        "pg_table_size",
        "pg_tablespace_size",
        "pg_total_relation_size",
        "random",
        "timeofday",
    }
)

# Methods of TABLESAMPLE: their handlers cannot be called from SQL, the method can be named.
SAMPLE_METHODS = frozenset({"bernoulli", "system"})

# Immutable or stable, and yet they reach beyond their arguments.
EXCLUDED = {
    r".*_to_xml.*|ts_stat|ts_rewrite": "run a query or read a relation that is given as text",
    r"current_setting|pg_show_all_settings|pg_settings_get_flags|pg_config|pg_file_settings|pg_hba_.*|pg_ident_.*": (
        "settings and configuration files"
    ),
    r"pg_read.*|pg_ls.*|pg_stat_file|pg_current_logfile|pg_relation_file.*|pg_filenode_relation": "server files",
    r"lo_.*|loread|lowrite|pg_largeobject.*": "large objects",
    r"pg_stat_.*|pg_lock.*|pg_cursor|pg_prepared_.*|pg_get_backend.*|pg_get_shmem.*|pg_show_.*|pg_timezone_.*": (
        "the state of this and of other sessions"
    ),
    r"txid_.*|pg_xact.*|pg_current_xact.*|pg_(current_)?snapshot.*|pg_visible.*|pg_last_.*|mxid_age": "transactions",
    r"pg_.*wal.*|pg_.*replication.*|pg_.*slot.*|pg_logical.*|pg_control.*|pg_get_publication_tables": "replication",
    r"pg_available_.*|pg_extension_.*|pg_event_trigger_.*|pg_listening_.*|binary_upgrade.*": "server upkeep",
    r"currval|lastval|nextval|setval|pg_sequence.*": "sequences",
    r"inet_client_.*|inet_server_.*|current_query|pg_tablespace_databases": "the connection and the host",
}
# Kept though they read the catalogs: format_type, pg_get_*def, pg_get_expr, obj_description, has_*_privilege, to_reg*,
# pg_partition_*, pg_*_is_visible: psql's \d family and the type loaders of drivers need them.

QUERY = """
SELECT proname, bool_and(provolatile IN ('i', 's'))
FROM pg_proc p
WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a', 'w')
  AND NOT EXISTS (
    SELECT FROM unnest(proargtypes || prorettype) AS t(oid)
    WHERE t.oid IN (SELECT y.oid FROM pg_type y WHERE y.typname IN (
      'internal', 'cstring', 'trigger', 'event_trigger', 'language_handler', 'fdw_handler', 'index_am_handler',
      'tsm_handler', 'table_am_handler', 'pg_ddl_command')))
GROUP BY proname
"""


def harmless(rows: list[tuple[str, bool]]) -> list[str]:
    """The names to list, sorted; rows are (name, all overloads are immutable or stable)."""
    excluded = re.compile("|".join(f"(?:{pattern})" for pattern in EXCLUDED))
    listed = {name for name, steady in rows if steady and not excluded.fullmatch(name)}
    return sorted(listed | (VOLATILE & {name for name, _ in rows}) | SAMPLE_METHODS)


def ask(binaries: Path) -> list[tuple[str, bool]]:
    """The functions of a temporary server, which has no TCP port and is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        run = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if run:
            subprocess.run(["chown", "postgres", folder], check=True)
        data = f"{folder}/data"
        subprocess.run([*run, str(binaries / "initdb"), "-D", data, "-A", "trust", "-N"], check=True, stdout=sys.stderr)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        start = [*run, str(binaries / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=sys.stderr)
        try:
            user = "postgres" if run else os.environ["USER"]
            psql = [
                *run,
                str(binaries / "psql"),
                "-h",
                folder,
                "-U",
                user,
                "-d",
                "postgres",
                "-XAt",
                "-F",
                " ",
                "-c",
                QUERY,
            ]
            output = subprocess.run(psql, check=True, capture_output=True, text=True).stdout
        finally:
            subprocess.run(
                [*run, str(binaries / "pg_ctl"), "-D", data, "-m", "fast", "stop"], check=True, stdout=sys.stderr
            )
    return [(name, steady == "t") for name, _, steady in (line.rpartition(" ") for line in output.splitlines())]


if __name__ == "__main__":
    print("\n".join(harmless(ask(Path(sys.argv[1])))))
