"""Writes a file of tests/corpus/everyday: the statements that a real program sends to a real server.

Usage, as root: harvest_statements.py NAME WHERE-THEY-COME-FROM -- COMMAND…
The server is a throw-away one with the schema of the everyday corpus; it logs all that it is asked. The command finds
it by PGHOST (a folder), PGPORT, PGUSER, PGDATABASE, HARVEST_TCP_PORT (on 127.0.0.1, as the user `trusting`). What reads
and was asked before is left out; numbers of the schema's own objects become {oid:schema.name}, which the tests fill in.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.lab.postgres import Postgres  # noqa: E402

EVERYDAY = ROOT / "tests/corpus/everyday"
LOGGED = re.compile(r"(?:statement|execute (?!fetch from)[^:]*): ", re.DOTALL)
PARAMETER = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')", re.DOTALL)
OBJECTS = """
SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' UNION ALL
SELECT t.oid, 'type ' || format_type(t.oid, NULL) FROM pg_type t WHERE t.oid >= 16384 AND t.typrelid = 0
"""
PORT = 25811


def main() -> None:
    """Run the command and write the file."""
    name, origin = sys.argv[1:3]
    command = sys.argv[sys.argv.index("--") + 1 :]
    server = Postgres(("127.0.0.1",), PORT, tls=False, settings=("log_destination=jsonlog", "logging_collector=on"))
    server.start()
    try:
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE USER trusting SUPERUSER")
        server.sql((EVERYDAY / "schema.sql").read_text(), "shop")
        server.sql("ALTER DATABASE shop SET log_statement = 'all'")
        numbers = [line.split("|") for line in server.sql(OBJECTS, "shop").splitlines()]
        where = {
            "PGHOST": str(server.directory), "PGPORT": str(PORT), "PGUSER": "postgres", "PGDATABASE": "shop",
            "HARVEST_TCP_PORT": str(PORT),
        }  # fmt: skip
        done = subprocess.run(command, env={**os.environ, **where}, check=False, stdin=subprocess.DEVNULL)
        print("the command ended with", done.returncode)
        asked = [json.loads(line) for log in _logs(server) for line in log.read_text().splitlines()]
    finally:
        server.stop()
    kept = list(_entries(asked, {number: str(text) for number, text in numbers}))
    (EVERYDAY / f"{name}.sql").write_text("\n".join([f"-- {origin}", *kept]) + "\n")
    print(sum(entry != "--# new session" for entry in kept), "statements")


def _logs(server: Postgres) -> list[Path]:
    return sorted((server.directory / "data/log").glob("*.json"))


def _entries(asked: list[dict[str, str]], numbers: dict[str, str]) -> Iterator[str]:
    seen = set()
    session = None
    for line in asked:
        found = LOGGED.match(line["message"])
        if line.get("dbname") != "shop" or found is None or line.get("error_severity") != "LOG":
            continue
        if session not in (None, line["pid"]):
            yield "--# new session"
        session = line["pid"]
        text = line["message"][found.end() :].strip()
        values = [_value(v) for v in PARAMETER.findall(line.get("detail", ""))]
        text = re.sub(r"\b\d{5,}\b", lambda m: f"{{oid:{numbers[m[0]]}}}" if m[0] in numbers else m[0], text)
        values = [f"{{oid:{numbers[v]}}}" if v in numbers else v for v in values]
        entry = (
            f"--# {_mode(line['message'])} {json.dumps(values)}" if values else f"--# {_mode(line['message'])}"
        ) + f"\n{text}"
        if re.match(r"(?i)select|show|with", text) and entry in seen:
            continue
        seen.add(entry)
        yield entry


def _mode(message: str) -> str:
    return "simple" if message.startswith("statement") else "extended"


def _value(quoted: str) -> str | None:
    return None if quoted == "NULL" else quoted[1:-1].replace("''", "'")


if __name__ == "__main__":
    main()
