"""Runs PostgreSQL's regression files by psql, through the agent and directly, at the same time on two equal servers.

Each run has a server, a database and a directory of its own; one shell runs all files in order, so that a governed
process is begun once.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.world import World
from tests.lab.postgres import Postgres
from tests.parity.differences import PINNED
from tests.parity.schedule import ordered, write_data

DATABASE = "regression"
SECONDS_PER_FILE = 60
SETTINGS = ("max_prepared_transactions=4", "max_worker_processes=8", "jit=off", "autovacuum=off")
PREPARE = f"""
CREATE DATABASE {DATABASE} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C';
ALTER DATABASE {DATABASE} SET lc_messages TO 'C';
ALTER DATABASE {DATABASE} SET lc_monetary TO 'C';
ALTER DATABASE {DATABASE} SET lc_numeric TO 'C';
ALTER DATABASE {DATABASE} SET lc_time TO 'C';
ALTER DATABASE {DATABASE} SET bytea_output TO 'hex';
ALTER DATABASE {DATABASE} SET timezone_abbreviations TO 'Default';
"""


@dataclass(frozen=True)
class Run:
    """One of the two: where its server is, and where its files are."""

    server: Postgres
    host: str
    port: int
    directory: Path

    def prepare(self, files: list[Path]) -> None:
        """Make the database, let everybody in, and put the files where the server reads and writes them."""
        (self.server.directory / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all all trust\n")
        self.server.sql("SELECT pg_reload_conf()")
        self.server.sql(PREPARE)
        write_data(self.directory / "data")
        for name in ("sql", "results", "out"):
            (self.directory / name).mkdir()
            (self.directory / name).chmod(0o777)
        for path in files:
            (self.directory / "sql" / path.name).write_bytes(PINNED.sub(b"", path.read_bytes()))

    def command(self, files: list[Path]) -> list[str]:
        """The shell that runs them."""
        dsn = f"host={self.host} port={self.port} dbname={DATABASE} user=postgres sslmode=disable"
        psql = f"psql -X -a -q -v HIDE_TABLEAM=on -v HIDE_TOAST_COMPRESSION=on -d {shlex.quote(dsn)}"
        names = " ".join(path.stem for path in files)
        loop = f"for f in {names}; do timeout {SECONDS_PER_FILE} {psql} <sql/$f.sql >out/$f.out 2>&1; "
        return ["sh", "-c", f"cd {self.directory} && {loop} echo $f $?; done"]

    def environment(self) -> dict[str, str]:
        """What the suite's own driver sets."""
        paths = {"PG_ABS_SRCDIR": str(self.directory), "PG_ABS_BUILDDIR": str(self.directory)}
        paths |= {"PG_LIBDIR": "/nonexistent", "PG_DLSUFFIX": ".so"}
        return {**os.environ, **paths, "PGTZ": "PST8PDT", "PGDATESTYLE": "Postgres, MDY", "LC_ALL": "C"}

    def output(self, path: Path) -> str:
        """What psql printed for a file."""
        text = (self.directory / "out" / f"{path.stem}.out").read_text(encoding="utf-8", errors="backslashreplace")
        return text.replace(str(self.directory), "DIRECTORY").replace(f'port "{self.port}"', "PORT")


def run_both(here: World, other: Postgres, files: list[Path], directory: Path) -> tuple[Run, Run, list[str]]:
    """Run all files governed and directly; both runs, and the lines `FILE STATUS` of psql in each."""
    files = ordered(files)
    governed = Run(here.postgres, "10.77.0.2", 5432, directory / "a")
    direct = Run(other, "10.77.0.2", other.port, directory / "d")
    for run in (governed, direct):
        run.prepare(files)
    seconds = SECONDS_PER_FILE * len(files)

    def start(run: Run) -> str:
        begin = here.governed if run is governed else here.direct
        done: subprocess.CompletedProcess[str] = begin(*run.command(files), env=run.environment(), timeout=seconds)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(start, (governed, direct)))
    return governed, direct, ended
