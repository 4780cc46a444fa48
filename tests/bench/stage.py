"""Where the bench runs: a host and a database in throw-away namespaces, with the tables that all loads use."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.network import Lab
from tests.lab.postgres import Postgres
from tests.netns.topology import DATABASE

NAME = f"habench{os.getpid()}"  # two benches on a machine are strangers to each other
USER = "trusting"  # logs in without a password on every way, so that connections cost the same
CONNECTIONS = 2_100  # those that stand idle, and those that query meanwhile
SCALE = 10  # pgbench: a million accounts
WIDE_ROWS, WIDE_BYTES = 500_000, 1_000  # 500 MB as COPY writes it

# not compressed and not moved aside, so that a row costs the server little; visible and frozen before the first read
_TABLES = f"""
CREATE USER {USER};
GRANT pg_read_all_data TO {USER};
CREATE TABLE wide (line text);
ALTER TABLE wide ALTER line SET STORAGE PLAIN;
INSERT INTO wide SELECT repeat(chr(65 + n % 26), {WIDE_BYTES - 1}) FROM generate_series(1, {WIDE_ROWS}) AS n;
VACUUM (FREEZE, ANALYZE) wide;
CHECKPOINT;
"""


@dataclass(frozen=True)
class Stage:
    """The namespaces, the server in one of them, and a directory that every user can read."""

    lab: Lab
    postgres: Postgres
    directory: Path

    def inside(self) -> list[str]:
        """The prefix that runs a command in the host's namespace."""
        return ["nsenter", f"--net=/run/netns/{self.lab.host}"]


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Make it all; it is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    directory.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        lab = Lab(NAME)
        stack.callback(lab.remove)
        lab.make()
        postgres = Postgres((DATABASE[4],), netns=lab.db, settings=(f"max_connections={CONNECTIONS}",))
        stack.callback(_stop, postgres)
        postgres.start()
        postgres.sql(_TABLES)
        where = ["-h", str(postgres.directory), "-p", str(postgres.port), "-U", "postgres"]
        fill = ["pgbench", "-i", "-q", "-s", str(SCALE), *where, "postgres"]
        subprocess.run(fill, check=True, capture_output=True)
        yield Stage(lab, postgres, directory)


def _stop(postgres: Postgres) -> None:
    if hasattr(postgres, "process"):
        postgres.stop()


def environment(tls: bool) -> dict[str, str]:
    """What every client is started with; the same on all ways."""
    return {**os.environ, "PGSSLMODE": "require" if tls else "disable", "PGGSSENCMODE": "disable", "PGUSER": USER}
