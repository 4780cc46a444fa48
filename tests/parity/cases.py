"""What is compared byte by byte: statements for every mode of the protocol, and batches of messages."""

from __future__ import annotations

import struct

from tests.lab.wire import message

_PLAIN = (
    "SELECT 1", "SELECT 1 AS a, 'x' AS b, NULL AS c", "", ";", "-- nothing", "/* nothing */",
    "SELECT true, 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 10.25::numeric, 'NaN'::numeric",
    "SELECT 'text', 'c'::char(3), 'v'::varchar, 'n'::name, '\\x00ff'::bytea, 'a'::\"char\"",
    "SELECT '2020-01-02'::date, '03:04:05'::time, '2020-01-02 03:04:05.678'::timestamp, '1 day 2 hours'::interval",
    "SELECT '2020-01-02 03:04:05+02'::timestamptz, '03:04+02'::timetz",
    "SELECT '{\"a\": [1, null]}'::json, '{\"a\": 1}'::jsonb, '0b14dd10-8c4a-4b6a-9c5f-0123456789ab'::uuid",
    "SELECT '10.0.0.1/8'::inet, '10.0.0.0/8'::cidr, '08:00:2b:01:02:03'::macaddr, B'101'::bit(3), 12.34::money",
    "SELECT '(1,2)'::point, '[(0,0),(1,1)]'::lseg, '<(0,0),1>'::circle, '((0,0),(1,1))'::polygon",
    "SELECT ARRAY[1, NULL, 3], ARRAY['a', 'b,c', '\"'], '{{1,2},{3,4}}'::int[][], ARRAY[]::text[]",
    "SELECT int4range(1, 5), numrange(1.5, NULL), tstzrange(NULL, NULL), ROW(1, 'a', NULL)",
    "SELECT to_tsvector('simple', 'a b'), 'a & b'::tsquery, 'public'::regnamespace, 'int4'::regtype",
    "SELECT g, repeat('x', g) FROM generate_series(1, 300) g", "SELECT repeat('y', 300000)",
    "SELECT 'ünïcödé ' || chr(128512)", "SELECT $$a 'quoted' \\ text$$, E'tab\\tnew\\nline'",
    "SELECT * FROM accounts ORDER BY id", "SELECT FROM accounts", "TABLE accounts", "VALUES (1, 'a'), (2, NULL)",
    "WITH x AS (SELECT 1 AS n) SELECT * FROM x", "SELECT 1 WHERE false",
    "SELECT 1/0", "SELECT no_such_column", "SELECT * FROM no_such_table", "SELECT no_such_function()",
    "SELECT 'abc'::int", "SELECT * FROM accounts WHERE id = 'x'", "SELECT (SELECT id FROM accounts)",
    "CREATE TEMP TABLE t (id int PRIMARY KEY, note text CHECK (note <> 'bad'), n numeric(5, 2))",
    "INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', NULL)", "INSERT INTO t VALUES (1, 'again')",
    "INSERT INTO t VALUES (3, 'bad')", "INSERT INTO t VALUES (4, 'four', 12345.678)",
    "INSERT INTO t VALUES (5, 'five') RETURNING id, note", "UPDATE t SET note = upper(note) WHERE id < 3",
    "UPDATE t SET note = note RETURNING *", "DELETE FROM t WHERE id = 5 RETURNING id", "SELECT * FROM t ORDER BY id",
    "CREATE TEMP VIEW v AS SELECT id FROM t", "SELECT * FROM v ORDER BY 1", "COMMENT ON TABLE t IS 'words'",
    "EXPLAIN (COSTS OFF) SELECT * FROM t WHERE id = 1", "ANALYZE t", "DROP VIEW v", "DROP TABLE IF EXISTS not_there",
    "BEGIN", "SELECT 'in a transaction'", "SAVEPOINT s", "SELECT 1/0", "SELECT 'failed'", "ROLLBACK TO s",
    "SELECT 'again'", "DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH 2 FROM c", "MOVE 1 IN c",
    "FETCH ALL FROM c", "CLOSE c", "COMMIT", "COMMIT", "ROLLBACK",
    "COPY (SELECT g, 'l' || g FROM generate_series(1, 50) g) TO STDOUT", "COPY t TO STDOUT (FORMAT csv, HEADER)",
    "COPY t TO STDOUT (FORMAT binary)", "COPY not_there TO STDOUT",
    "SET application_name TO 'parity'", "SHOW application_name", "SET DateStyle TO 'German'",
    "SELECT '2020-01-02'::date", "RESET DateStyle", "SET LOCAL work_mem TO '1MB'", "SHOW ALL",
    "SET no_such_setting TO 1", "SELECT set_config('application_name', 'other', false)",
    "DO $$ BEGIN RAISE NOTICE 'a notice %', 1; RAISE WARNING 'a warning'; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'an exception' USING ERRCODE = 'P0042', DETAIL = 'd', HINT = 'h'; END $$",
    "PREPARE p (int) AS SELECT $1 * 2", "EXECUTE p (21)", "DEALLOCATE p", "EXECUTE p (1)",
    "LISTEN news", "UNLISTEN *", "DISCARD PLANS", "LOCK TABLE t", "TRUNCATE t", "VACUUM t", "DROP TABLE t",
    "CREATE TYPE pg_temp.mood AS ENUM ('sad', 'glad')", "SELECT 'glad'::pg_temp.mood",
    "CREATE FUNCTION pg_temp.f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'", "SELECT pg_temp.f(41)",
    "CREATE FUNCTION pg_temp.fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1/0; END $$",
    "SELECT pg_temp.fails()", "SELECT pg_notify('nobody', 'x')", "SELECT 1 AS \"strange \"\"name\"\"\"",
)  # fmt: skip
_BOUND: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("SELECT $1::int + $2::int", ("20", "22")), ("SELECT $1::text, $2::text", (None, "x")),
    ("SELECT $1::int", ("no number",)), ("SELECT $1 || 'x'", ("ü",)), ("SELECT $1::int[]", ("{1,2,NULL}",)),
    ("SELECT id FROM accounts WHERE id = $1", ("2",)), ("SELECT $1::bytea", ("\\x0001",)),
    ("SELECT $1::text", ("y" * 70_000,)), ("SELECT 1", ("superfluous",)), ("SELECT $1::int, $2::int", ("1",)),
)  # fmt: skip
STATEMENTS: tuple[tuple[str, tuple[str | None, ...]], ...] = (*((text, ()) for text in _PLAIN), *_BOUND)


def parse(text: str, name: str = "") -> bytes:
    return message("P", name.encode() + b"\0" + text.encode() + b"\0\0\0")


def bind(name: str = "", portal: str = "", rest: bytes = b"\0\0\0\0\0\0") -> bytes:
    return message("B", portal.encode() + b"\0" + name.encode() + b"\0" + rest)


def execute(portal: str = "", rows: int = 0) -> bytes:
    return message("E", portal.encode() + b"\0" + struct.pack("!i", rows))


def describe(what: str, name: str = "") -> bytes:
    return message("D", what.encode() + name.encode() + b"\0")


def close(what: str, name: str = "") -> bytes:
    return message("C", what.encode() + name.encode() + b"\0")


def query(text: str) -> bytes:
    return message("Q", text.encode() + b"\0")


SYNC, FLUSH = message("S", b""), message("H", b"")
_MANY = "SELECT g FROM generate_series(1, 9) g"
BATCHES: dict[str, bytes] = {  # each is answered by one ReadyForQuery
    "described": parse(_MANY, "s") + describe("S", "s") + bind("s") + describe("P") + execute() + SYNC,
    "bound again": bind("s") + execute() + SYNC,
    "suspended": bind("s", "p") + execute("p", 4) + execute("p", 4) + FLUSH + execute("p", 4) + execute("p") + SYNC,
    "two portals": bind("s", "p") + bind("s", "q") + execute("p", 2) + execute("q", 3) + execute("p", 2) + SYNC,
    "binary by column": parse("SELECT 1, 2") + bind(rest=b"\0\0\0\0\0\2\0\1\0\0") + execute() + SYNC,
    "same name": parse("SELECT 2", "s") + bind("s") + execute() + SYNC,
    "closed": close("S", "s") + parse("SELECT 'new'", "s") + bind("s") + execute() + close("S", "s") + SYNC,
    "closed what never was": close("S", "never") + close("P", "never") + SYNC,
    "no statement": bind("never") + execute() + SYNC,
    "no portal": execute("never") + SYNC,
    "described nothing": describe("S", "never") + SYNC,
    "skipped after an error": parse("SELECT 1/0") + bind() + execute() + parse("SELECT 'skipped'") + bind() + SYNC,
    "flushed": parse("SELECT 1") + FLUSH + bind() + FLUSH + execute() + FLUSH + SYNC,
    "nothing": SYNC,
    "empty": parse("") + describe("S") + bind() + describe("P") + execute() + SYNC,
    "two texts": query("SELECT 1; SELECT 'two'; SELECT 1/0; SELECT 'four'"),
    "a transaction": parse("BEGIN") + bind() + execute() + parse("SELECT 1") + bind() + execute() + SYNC,
    "its error": parse("SELECT 1/0") + bind() + execute() + SYNC,
    "its rest": query("SELECT 'refused'"),
    "its end": query("ROLLBACK"),
    "copy out": parse("COPY (VALUES (1), (2)) TO STDOUT") + bind() + execute() + SYNC,
    "copy in": query("CREATE TEMP TABLE c (n int)"),
    "copy in, pipelined": (
        parse("COPY c FROM STDIN") + bind() + execute() + message("d", b"1\n2\n") + message("c", b"") + SYNC
    ),
    "copy in, bad": parse("COPY c FROM STDIN") + bind() + execute() + message("d", b"x\n") + message("c", b"") + SYNC,
    "copied": query("SELECT sum(n) FROM c"),
    "copy data without a copy": message("d", b"x") + message("c", b"") + query("SELECT 'ignored'"),
    "listening": query("LISTEN here"),
    "notified": query("NOTIFY here, 'payload'"),
    "a status": query("SET application_name TO 'batched'"),
    "typed": message("P", b"\0SELECT $1, $2\0" + struct.pack("!hii", 2, 23, 25))
    + bind(rest=struct.pack("!hhhhi", 2, 1, 0, 2, 4) + struct.pack("!ii", 7, 1) + b"x" + struct.pack("!hh", 1, 1))
    + execute() + SYNC,
    "copy in, given up": query("COPY c FROM STDIN"),
    "a call": message("F", struct.pack("!ihhi", 1397, 0, 1, 2) + b"-7" + struct.pack("!h", 0)),
}  # fmt: skip
