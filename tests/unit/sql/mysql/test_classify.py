"""What a MySQL text does, in words that policy can match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostagent.sql.analysis import Analysis, Kind, Statement, Unanalyzed
from hostagent.sql.mysql import analyze
from hostagent.sql.mysql.classify import MAX_TEXT
from hostagent.sql.mysql.functions import is_harmless
from hostagent.values.mysql import MysqlSettings
from tests.unit.sql.mysql.mysqlcase import MARIADB, MYSQL, session


def one(text: str, settings: MysqlSettings = MARIADB) -> Statement:
    found = analyze(text, settings)
    assert isinstance(found, Analysis), (text, found)
    assert len(found.statements) == 1
    return found.statements[0]


def words(names: object) -> str:
    return " ".join(sorted(map(str, names)))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "kinds", "reads", "writes"),
    [
        ("SELECT a FROM t", "select", "app.t", ""),
        ("SELECT * FROM a.t x, u JOIN v USING (id)", "select", "a.t app.u app.v", ""),
        ("SELECT 1 FROM dual", "select", "", ""),
        ("SELECT a FROM t STRAIGHT_JOIN secret", "select", "app.secret app.t", ""),
        ("SELECT (SELECT b FROM u) FROM t WHERE a IN (SELECT 1 FROM v)", "select", "app.t app.u app.v", ""),
        ("SELECT 1 FROM (SELECT a FROM t) x", "select", "app.t", ""),
        ("SELECT 1 /*!50000 FROM t */", "select", "app.t", ""),
        ("SELECT 1 /*!80000 FROM t */", "select", "", ""),
        ("SELECT a FROM t UNION SELECT b FROM u EXCEPT (SELECT c FROM v)", "select", "app.t app.u app.v", ""),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "select", "", ""),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t", "select", "app.t", ""),
        ("WITH t AS (SELECT 1) SELECT * FROM app.t", "select", "app.t", ""),
        ("TABLE t", "select", "app.t", ""),
        ("SELECT a FROM t FOR UPDATE", "lock select", "app.t", ""),
        ("SELECT a FROM t INTO OUTFILE 'x'", "select server_file", "app.t", ""),
        ("SELECT * FROM INFORMATION_SCHEMA.Tables", "select", "information_schema.tables", ""),
        ("SELECT nextval(s)", "select", "", "app.s"),
        ("SELECT NEXT VALUE FOR x.s, PREVIOUS VALUE FOR s", "select", "app.s", "x.s"),
        ("SELECT a FROM t WHERE a = DEFAULT(a)", "select", "app.t", ""),
        ("INSERT INTO t (a) VALUES (1)", "insert", "", "app.t"),
        ("INSERT INTO t SET a = (SELECT max(b) FROM u)", "insert select", "app.u", "app.t"),
        ("INSERT INTO t SELECT * FROM u", "insert select", "app.u", "app.t"),
        (
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = IFNULL(VALUES(a), 1)",
            "insert update",
            "app.t",
            "app.t",
        ),
        ("INSERT INTO t (a) VALUES (1) RETURNING a", "insert", "app.t", "app.t"),
        ("REPLACE INTO t VALUES (1)", "delete insert", "", "app.t"),
        ("UPDATE t SET a = 1", "update", "", "app.t"),
        ("UPDATE t SET a = 1 WHERE b = 2", "update", "app.t", "app.t"),
        ("UPDATE t x JOIN u y ON x.id = y.id SET x.a = y.b", "update", "app.t app.u", "app.t"),
        ("UPDATE t, u SET a = 1", "update", "app.t app.u", "app.t app.u"),
        ("DELETE FROM t WHERE a = 1", "delete", "app.t", "app.t"),
        ("DELETE x FROM t x JOIN u ON x.id = u.id", "delete", "app.t app.u", "app.t"),
        ("DELETE FROM t USING t JOIN u ON t.id = u.id", "delete", "app.t app.u", "app.t"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "copy_from insert", "", "app.t"),
        ("LOAD DATA INFILE 'x' INTO TABLE t", "insert server_file", "", "app.t"),
        ("DO 1", "select", "", ""),
        ("SET autocommit = 0", "set", "", ""),
        ("SET GLOBAL x = 1", "set system", "", ""),
        ("SET @a = (SELECT b FROM t)", "select set", "app.t", ""),
        ("SET STATEMENT max_statement_time = 1 FOR SELECT a FROM t", "select set", "app.t", ""),
        ("USE other", "set", "", ""),
        ("START TRANSACTION READ ONLY", "transaction", "", ""),
        ("ROLLBACK TO SAVEPOINT a", "transaction", "", ""),
        ("SHOW FULL COLUMNS FROM t FROM other", "show", "other.t", ""),
        ("SHOW CREATE TABLE t", "show", "app.t", ""),
        ("SHOW TABLES", "show", "", ""),
        ("SHOW PROCESSLIST", "show system", "", ""),
        ("SHOW GRANTS", "show", "", ""),
        ("DESCRIBE t", "show", "app.t", ""),
        ("EXPLAIN SELECT a FROM t", "explain select", "app.t", ""),
        ("ANALYZE FORMAT=JSON DELETE FROM t", "delete explain", "", "app.t"),
        ("ANALYZE TABLE t", "maintenance", "", "app.t"),
        ("CHECKSUM TABLE t", "maintenance", "app.t", ""),
        ("FLUSH TABLES", "maintenance", "", ""),
        ("FLUSH PRIVILEGES", "maintenance system", "", ""),
        ("KILL 4", "system", "", ""),
        ("LOCK TABLES t READ, u AS x WRITE", "lock", "", "app.t app.u"),
        ("PREPARE s FROM 'SELECT a FROM t'", "prepare select", "app.t", ""),
        ("EXECUTE IMMEDIATE 'DROP TABLE t'", "drop execute", "", "app.t"),
        ("EXECUTE s USING @a", "execute", "", ""),
        ("DEALLOCATE PREPARE s", "deallocate", "", ""),
        ("CALL p(1)", "call", "", ""),
        ("CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (b))", "create", "app.u", "app.t"),
        ("CREATE TABLE t AS SELECT * FROM u", "create select", "app.u", "app.t"),
        ("CREATE TABLE t (a int) ENGINE=FEDERATED CONNECTION='mysql://a:b@c/d'", "create system", "", "app.t"),
        ("CREATE TABLE t (a int) DATA DIRECTORY='/x'", "create server_file", "", "app.t"),
        ("CREATE VIEW v AS SELECT * FROM t", "create select", "app.t", "app.v"),
        ("CREATE DATABASE x", "create system", "", ""),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", "create", "", "app.p"),
        ("CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "create", "", "app.t"),
        ("CREATE FUNCTION f RETURNS INT SONAME 'x.so'", "create server_file system", "", ""),
        ("ALTER TABLE t RENAME TO u", "alter", "", "app.t app.u"),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", "alter", "", "app.t app.u"),
        ("RENAME TABLE a TO b.c", "alter", "", "app.a b.c"),
        ("TRUNCATE t", "truncate", "", "app.t"),
        ("DROP TABLE IF EXISTS t, x.u", "drop", "", "app.t x.u"),
        ("GRANT SELECT ON x.* TO u", "grant", "", "x.*"),
        ("GRANT ALL ON *.* TO u", "grant system", "", ""),
        ("REVOKE r FROM u", "revoke role", "", ""),
        ("", "empty", "", ""),
        ("/* nothing */ ;", "empty", "", ""),
    ],
)
def test_what_a_statement_does(text: str, kinds: str, reads: str, writes: str) -> None:
    found = one(text)
    assert (words(found.kinds), words(found.reads), words(found.writes)) == (kinds, reads, writes)


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        ("SELECT concat(a, now()), count(*) FROM t", "concat count now"),
        ("SELECT sleep(1)", "sleep"),
        ("SELECT load_file('/etc/passwd')", "load_file"),
        ("SELECT mine(1)", "app.mine mysql.mine"),
        ("SELECT x.mine(1)", "x.mine"),
        ("SELECT `concat`(1)", "app.concat mysql.concat"),
        ("SELECT CONVERT(a, CHAR(10)), a + INTERVAL 1 DAY, INTERVAL(1, 2) FROM t", "convert interval"),
        ("CALL p()", "app.p"),
        ("SELECT current_user, CURRENT_TIMESTAMP(3)", "current_timestamp current_user"),
        ("SELECT random_bytes(1)", "random_bytes"),
    ],
)
def test_which_functions_it_calls(text: str, functions: str) -> None:
    assert words(one(text).functions) == functions


def test_a_function_that_this_version_lacks_is_a_stored_one() -> None:
    old = session(version=100432)
    assert words(one("SELECT random_bytes(1)", old).functions) == "app.random_bytes mysql.random_bytes"
    assert words(one("SELECT any_value(a) FROM t", MYSQL).functions) == "any_value"


def test_functions_that_do_more_than_compute_are_not_harmless() -> None:
    harmless = {f.name for f in one("SELECT abs(1), sleep(1), get_lock('a', 1), mine(1)").functions if is_harmless(f)}
    assert harmless == {"abs"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SET NAMES utf8mb4", "names_utf8"),
        ("SET NAMES 'utf8' COLLATE utf8mb4_bin", "names_utf8"),
        ("SET NAMES latin1", "names"),
        ("SET NAMES DEFAULT", "names"),
        ("SET CHARACTER SET utf8", "character_set_utf8"),
        ("SET CHARACTER SET gbk", "character_set"),
        ("SET character_set_results = utf8mb4", "character_set_utf8"),
        ("SET SESSION character_set_results = 'binary'", "character_set_as_stored"),
        ("SET character_set_results = NULL", "character_set_as_stored"),
        ("SET character_set_client = binary", "character_set_client"),
        ("SET character_set_client = @x", "character_set_client"),
        ("SET character_set_client = 'utf8' 'x'", "character_set_client"),
        ("SET SQL_MODE = ''", "sql_mode_checks"),
        ("SET sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE'", "sql_mode_checks"),
        ("SET sql_mode = 'STRICT_TRANS_TABLES,ANSI_QUOTES'", "sql_mode"),
        ("SET sql_mode = CONCAT(@@sql_mode, '')", "sql_mode"),
        ("SET GLOBAL sql_mode = ''", "sql_mode"),
        ("SET @@SESSION.sql_mode = '', @@global.x = 1", "sql_mode_checks x"),
        ("SET @a = 1", ""),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            "transaction_isolation transaction_read_only",
        ),
        ("SET ROLE admin", "role"),
        ("USE x", "database"),
        ("SELECT 1", ""),
    ],
)
def test_which_settings_it_touches(text: str, names: str) -> None:
    assert words(one(text).settings) == names


@pytest.mark.parametrize(
    "text",
    [
        "SELEC 1",
        "SELECT",
        "SELECT 1 FROM",
        "HANDLER t OPEN",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "SIGNAL SQLSTATE '45000'",
        "GET DIAGNOSTICS @a = ROW_COUNT",
        "PREPARE s FROM @a",
        "EXECUTE IMMEDIATE @a",
        "EXECUTE IMMEDIATE concat('a', 'b')",
        "SELECT a FROM t PROCEDURE ANALYSE()",
        "SELECT count (*) FROM t",
        "SELECT 1 */ 2",
        "SELECT * FROM f(1)",
        "USE x; SELECT 1",
        "SET sql_mode = ''; SELECT 1",
        "SET NAMES gbk; SELECT 1",
        "SET STATEMENT sql_mode='' FOR SELECT 1",
        "WITH X AS (SELECT 1) SELECT * FROM x",
        "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
        "CREATE PROCEDURE p() DELETE begin FROM t begin; DROP TABLE x; END",
        "CREATE PROCEDURE p() BEGIN SELECT 1 AS begin; END; DROP TABLE t; SELECT 1 end",
        "CREATE TABLE t (a int) UNION=(x, y)",
        "SELECT '\ud800'",
        "SELECT 'a\0b'",
        "PREPARE s FROM 'SELECT 1; SELECT 2'",
        "PREPARE s FROM 'PREPARE z FROM @a'",
        "SELECT " + "(" * 200 + "1" + ")" * 200,
        "SELECT '" + "a" * MAX_TEXT + "'",
        "EXPLAIN SET @a = 1",
        "SHOW SOMETHING",
        "SHOW PROCEDURE CODE p",
        "LOAD INDEX INTO CACHE t",
        "SELECT @@a.b.c.d",
        "INSERT INTO t VALUES (1) SELECT 2",
        "SELECT a FROM t LIMIT a",
        "DELETE x FROM t y",
    ],
)
def test_what_is_not_understood_is_not_analyzed(text: str) -> None:
    assert isinstance(analyze(text, MARIADB), Unanalyzed)


def test_every_statement_of_a_text_is_seen() -> None:
    found = analyze("SELECT 1; CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE t;", MARIADB)
    assert isinstance(found, Analysis)
    assert [sorted(s.kinds) for s in found.statements] == [[Kind.SELECT], [Kind.CREATE], [Kind.DROP]]


def test_space_before_a_parenthesis_goes_by_the_mode() -> None:
    assert isinstance(analyze("SELECT count (*) FROM t", MARIADB), Unanalyzed)
    assert words(one("SELECT count (*) FROM t", session("IGNORE_SPACE")).functions) == "count"


def test_names_are_folded_where_the_server_folds_them() -> None:
    assert words(one("SELECT 1 FROM Users", session(fold=1)).reads) == "app.users"
    assert words(one("SELECT 1 FROM Users").reads) == "app.Users"
    assert isinstance(analyze("SELECT 1 FROM \u00c9", session(fold=1)), Unanalyzed)


def test_a_string_in_quotes_is_a_column_in_ansi_mode() -> None:
    def columns(settings: MysqlSettings) -> set[str]:
        return {c.name for c in one('SELECT "ssn" FROM t', settings).columns}

    assert columns(MARIADB) == set()
    assert columns(session("ANSI_QUOTES")) == {"ssn"}


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("CREATE USER u IDENTIFIED BY 'geheim'", "CREATE USER u IDENTIFIED BY '***'"),
        ("ALTER USER u IDENTIFIED VIA x USING 'geheim'", "ALTER USER u IDENTIFIED VIA x USING '***'"),
        ("GRANT ALL ON a.* TO u IDENTIFIED BY 'geheim'", "GRANT ALL ON a.* TO u IDENTIFIED BY '***'"),
        ("SET PASSWORD = 'geheim'", "SET PASSWORD = '***'"),
        ("CHANGE MASTER TO MASTER_PASSWORD='geheim'", "CHANGE MASTER TO MASTER_PASSWORD='***'"),
        ("SELECT PASSWORD('geheim')", "SELECT PASSWORD('***')"),
        ("SELECT AES_ENCRYPT(a, 'geheim') FROM t", "SELECT AES_ENCRYPT(a, '***') FROM t"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (PASSWORD 'geheim')", None),
        ("PREPARE s FROM 'CREATE USER u IDENTIFIED BY ''geheim'''", "PREPARE s FROM '***'"),
        ("SELECT 'password=geheim'", "SELECT '***'"),
        ("SET @my_password = 'geheim'", None),
    ],
)
def test_passwords_are_not_recorded(text: str, recorded: str | None) -> None:
    found = analyze(text, MARIADB)
    assert isinstance(found, Analysis), found
    assert found.recorded_text is not None
    assert "geheim" not in found.recorded_text
    assert recorded is None or found.recorded_text == recorded


def test_a_text_without_a_password_is_recorded_as_it_is() -> None:
    found = analyze("SELECT 'a' FROM t WHERE b = 'c'", MARIADB)
    assert isinstance(found, Analysis)
    assert found.recorded_text is None


_SOUP = """
select from where join left natural straight_join union t u x.y `q` 'a' "b" 1 .5 ( ) , . * = - -- # /* */ /*!
/*!50000 /*M! ; @a @@b := as with recursive values table insert into set update delete on duplicate key create
view begin end case when then if( count( count ( f( interval day for lock show explain call prepare \\ ' ` ?
null not in exists
"""


@settings(max_examples=300)
@given(st.lists(st.sampled_from(_SOUP.split()), max_size=25), st.sampled_from([MARIADB, MYSQL, session("ANSI")]))
def test_any_soup_of_tokens_is_answered(soup: list[str], how: MysqlSettings) -> None:
    assert isinstance(analyze(" ".join(soup), how), Analysis | Unanalyzed)


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(analyze(text, MARIADB), Analysis | Unanalyzed)
