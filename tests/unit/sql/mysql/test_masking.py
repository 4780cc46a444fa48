"""Masking MySQL statements, without a server: what is replaced, what is refused, what is asked for."""

from __future__ import annotations

import json

import pytest

from hostagent.sql.analysis import Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Needs, NeedsMore, Result, Rewritten, Unsafe
from hostagent.sql.mysql.masking.catalog import Catalog, Column, Key, Relation, decode
from hostagent.sql.mysql.masking.expression import masked
from hostagent.sql.mysql.masking.query import MAX_NAMES, catalog_query
from hostagent.sql.mysql.masking.rewrite import answer, rewrite
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.unit.sql.mysql.mysqlcase import MARIADB, session

MASKS = Masks((Mask("m", MaskKind.REDACT, ("app.users.ssn",), functions=("app.safe",)),))


def column(name: str, kind: str = "varchar", generated: str = "", *, hidden: bool = False) -> Column:
    return Column(name, kind, kind, 10, 2, hidden, generated)


def relation(name: str, *columns: str, view: str | None = None, schema: str = "app", **more: object) -> Relation:
    made = {"indexes": (), "keys": (), "checks": (), "triggers": 0} | more
    return Relation(Name(schema, name), tuple(map(column, columns)), view, **made)  # type: ignore[arg-type]


KNOWN = {
    r.name: r
    for r in (
        relation("users", "id", "name", "ssn"),
        relation("plain", "id", "a"),
        relation("indexed", "id", "ssn"),
        relation("loud", "id", triggers=1),
        relation("unseen", "id", triggers=None),
        relation("refers", "id", "s", keys=(Key("s", Name("app", "users"), "SSN"),)),
        relation(
            "v", "id", "s", view="select `app`.`users`.`id` AS `id`,`app`.`users`.`ssn` AS `s` from `app`.`users`"
        ),
        relation("quiet", "id", view="select `app`.`plain`.`id` AS `id` from `app`.`plain`"),
        relation("blind", "id", view=""),
        relation("calling", "id", view="select `app`.`f`(1) AS `id`"),
    )
}
CATALOG = Catalog({**KNOWN, Name("app", "temporary"): None, Name("other", "x"): None})
USERS = "(SELECT `id`, `name`, CAST('***' AS CHAR) AS `ssn` FROM `app`.`users`)"


def ask(text: str, settings: MysqlSettings = MARIADB, masks: Masks = MASKS, catalog: Catalog = CATALOG) -> Result:
    return rewrite(text, settings, catalog, masks)


def sent(text: str, settings: MysqlSettings = MARIADB) -> str:
    result = ask(text, settings)
    assert isinstance(result, Rewritten), (text, result)
    return result.text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SELECT * FROM users", f"SELECT * FROM {USERS} AS `users`"),
        ("SELECT ssn FROM users u WHERE u.ssn='x'", f"SELECT ssn FROM {USERS} AS `u` WHERE u.ssn='x'"),
        ("SELECT app.users.ssn, app.users.* FROM app.users", f"SELECT  users.ssn,  users.* FROM {USERS} AS `users`"),
        ("SELECT 1 /*!50000 , ssn */ FROM users -- x", f"SELECT 1 , ssn FROM {USERS} AS `users`"),
        ("SELECT count(*) FROM plain, users", f"SELECT count(*) FROM plain, {USERS} AS `users`"),
        ("SET @a = (SELECT ssn FROM users)", f"SET @a = (SELECT ssn FROM {USERS} AS `users`)"),
        ("INSERT INTO plain (id) SELECT id FROM users", f"INSERT INTO plain (id) SELECT id FROM {USERS} AS `users`"),
        ("WITH users AS (SELECT * FROM users) TABLE users", None),
        ("SELECT * FROM v", None),
    ],
)
def test_what_reads_a_masked_column_reads_a_sub_select(text: str, made: str | None) -> None:
    found = sent(text)
    assert "CAST('***' AS CHAR) AS `ssn` FROM `app`.`users`" in found
    assert made is None or found == made


@pytest.mark.parametrize(
    "text",
    [
        "SELECT  a  FROM plain /* kept */",
        "SELECT * FROM temporary",
        "SELECT id FROM quiet",
        "UPDATE users SET name = 'x'",
        "DELETE FROM users WHERE id = 1",
        "INSERT INTO users (id, name) VALUES (1, 'x')",
        "INSERT INTO users (id, ssn) VALUES (1, 'x'), (2, 'y')",
        "INSERT INTO users SET id = 1, ssn = 'x'",
        "INSERT INTO users VALUES (1, 'x', 'y')",
        "SHOW CREATE TABLE users",
        "BEGIN",
        "SET NAMES utf8mb4",
        "DROP TABLE users",
        "SELECT app.safe(1)",
        "SELECT 1",
    ],
)
def test_what_needs_no_mask_is_sent_as_it_came(text: str) -> None:
    assert sent(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM users PARTITION (p)",
        "TABLE users",
        "EXPLAIN SELECT * FROM users",
        "EXPLAIN DELETE FROM users WHERE id = 1",
        "SHOW INDEX FROM users",
        "UPDATE users SET ssn = 'x'",
        "UPDATE users SET name = ssn",
        "UPDATE users SET name = 'x' WHERE ssn = 'y'",
        "UPDATE users SET name = '\u017fsn' WHERE \u017fsn = 'y'",
        "DELETE FROM users WHERE ssn = 'x'",
        "DELETE FROM users RETURNING *",
        "REPLACE INTO users VALUES (1, 'x', 'y')",
        "INSERT INTO users SELECT 1, 'x', 'y'",
        "INSERT INTO users (id, ssn) VALUES (1, ssn)",
        "INSERT INTO users (id, ssn) VALUES (1, 'x') ON DUPLICATE KEY UPDATE ssn = 'y'",
        "INSERT INTO users (id, ssn) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = VALUES(ssn)",
        "REPLACE INTO users (ssn) VALUES ('y')",
        "UPDATE users u JOIN plain p ON u.id = p.id SET u.name = 'x'",
        "INSERT INTO plain (a) SELECT ssn FROM users",
        "INSERT INTO plain SELECT * FROM users",
        "CREATE TABLE z AS SELECT * FROM users",
        "CREATE VIEW z AS SELECT id FROM users",
        "CREATE TABLE z LIKE users",
        "ALTER TABLE users ADD x int",
        "RENAME TABLE users TO z",
        "CREATE INDEX i ON users (id)",
        "ALTER TABLE plain ADD FOREIGN KEY (a) REFERENCES users (ssn)",
        "UPDATE loud SET id = 1",
        "UPDATE unseen SET id = 1",
        "UPDATE refers SET s = 'guess'",
        "UPDATE v SET s = 'x'",
        "SELECT * FROM blind",
        "SELECT * FROM calling",
        "SELECT f(1)",
        "SELECT sleep(1)",
        "CALL p()",
        "PREPARE s FROM 'SELECT 1'",
        "EXECUTE s",
        "SHOW WARNINGS",
        "SHOW STATUS",
        "SET NAMES gbk",
        "SET character_set_client = gbk",
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT * FROM mysql.user",
        "KILL 1",
        "GRANT ALL ON a.* TO b",
        "SELECT * FROM information_schema.processlist",
        "UPDATE mysql.user SET a = 1",
        "DROP TABLE plain; SELECT * FROM users",
        "CREATE TRIGGER r BEFORE INSERT ON plain FOR EACH ROW SET @a = 1",
        "CHECKSUM TABLE users",
        "SHOW TABLE STATUS",
        "SELECT " + "1," * 200_000 + "1",
    ],
)
def test_what_cannot_be_made_safe_is_refused(text: str) -> None:
    catalog = Catalog({**CATALOG.found, Name("app", "z"): None})
    assert isinstance(ask(text, catalog=catalog), Unsafe), text


def test_what_is_not_known_is_asked_for() -> None:
    first = ask("SELECT * FROM v JOIN plain", catalog=Catalog())
    assert first == NeedsMore(Needs(frozenset({Name("app", "v"), Name("app", "plain")})))
    known = Catalog({name: KNOWN[name] for name in first.needs.relations})
    second = ask("SELECT * FROM v JOIN plain", catalog=known)
    assert second == NeedsMore(Needs(frozenset({*known.found, Name("app", "users")})))


def test_a_relation_that_is_not_shown_is_refused_where_a_mask_may_hold() -> None:
    missing = Catalog({Name("app", "users"): None})
    assert isinstance(ask("SELECT * FROM users", catalog=missing), Unsafe)


def test_a_guess_cannot_be_planted_beside_a_hash() -> None:
    hashed = Masks((Mask("m", MaskKind.HASH, ("app.users.ssn",)),))
    assert isinstance(ask("INSERT INTO users (id, ssn) VALUES (1, 'x')", masks=hashed), Unsafe)
    assert isinstance(ask("INSERT INTO users (id, name) VALUES (1, 'x')", masks=hashed), Rewritten)


def test_a_view_is_read_by_the_rights_of_who_reads_it() -> None:
    narrow = relation("users", "id", whole=False)  # all that this account may see of it
    known = {Name("app", "v"): KNOWN[Name("app", "v")]}
    result = ask("SELECT * FROM v", catalog=Catalog({**known, narrow.name: narrow}))
    assert isinstance(result, Rewritten)
    assert "(SELECT `id` FROM `app`.`users`) AS `users`" in result.text  # where `ssn` is not known
    outer = relation("w", "id", view="select `app`.`inner`.`id` AS `id` from `app`.`inner`")
    unseen = Catalog({outer.name: outer, Name("app", "inner"): None})
    assert isinstance(ask("SELECT * FROM w", catalog=unseen), Unsafe)


def test_columns_that_are_not_shown_may_be_masked() -> None:
    """What is remembered of a text holds for the same account with another role, which may see them."""
    narrow = Catalog({Name("app", "users"): relation("users", "id", whole=False)})
    result = ask("SELECT * FROM users", catalog=narrow)
    assert isinstance(result, Rewritten)
    assert result.text == "SELECT * FROM (SELECT `id` FROM `app`.`users`) AS `users`"
    assert isinstance(ask("UPDATE users SET id = 1", catalog=narrow), Unsafe)


def test_names_of_columns_have_no_case_and_those_of_tables_have_the_servers() -> None:
    upper = Catalog({Name("app", "users"): relation("users", "ID", "SSN")})
    result = ask("SELECT Ssn FROM users", catalog=upper)
    assert isinstance(result, Rewritten)
    assert "CAST('***' AS CHAR) AS `SSN`" in result.text
    assert "CAST('***'" in sent("SELECT ssn FROM USERS", session(fold=1))


_ENDED = (column("id"), column("ssn"), column("end", "varchar", "right(`ssn`,4)"))


def test_what_is_made_of_a_masked_column_is_masked_too() -> None:
    made = Relation(
        Name("app", "users"),
        (column("id"), column("ssn"), column("end", "varchar", "right(`ssn`,4)")),
        None,
        (),
        (),
        (),
        0,
    )
    result = ask("SELECT end FROM users", catalog=Catalog({made.name: made}))
    assert isinstance(result, Rewritten)
    assert result.masked == ("app.users.end", "app.users.ssn")


def test_hidden_columns_stay_hidden_and_telling_indexes_are_not_used() -> None:
    made = Relation(
        Name("app", "users"),
        (column("id"), column("ssn"), column("x", hidden=True)),
        None,
        (("by_ssn", frozenset({"ssn"}), False), ("PRIMARY", frozenset({"id"}), True)),
        (),
        (),
        0,
    )
    result = ask("SELECT * FROM users", catalog=Catalog({made.name: made}))
    assert isinstance(result, Rewritten)
    assert "`x`" not in result.text
    assert "FROM `app`.`users` IGNORE INDEX (`by_ssn`))" in result.text


def test_writes_are_refused_where_indexes_or_checks_look_at_what_is_masked() -> None:
    unique, expression = (("u", frozenset({"ssn"}), True),), (("u", frozenset({""}), True),)
    for more in ({"indexes": unique}, {"indexes": expression}, {"checks": ("`ssn` <> 'x'",)}):
        made = relation("users", "id", "ssn", **more)
        assert isinstance(ask("UPDATE users SET id = 2", catalog=Catalog({made.name: made})), Unsafe)


_TYPES = ("varchar", "text", "int", "bigint", "decimal", "date", "blob", "json", "enum", "geometry", "bit")


@pytest.mark.parametrize("kind", list(MaskKind))
@pytest.mark.parametrize("type_", _TYPES)
def test_a_mask_is_the_same_under_every_mode(kind: MaskKind, type_: str) -> None:
    made = masked(column("it`s", type_), Mask("m", kind, (), 1, 2), bytes(32))
    assert not set('"\\|') & set(made)
    for mode in ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "IGNORE_SPACE"):
        masks = Masks((Mask("m", kind, ("app.users.ssn",), first=1, last=2),))
        known = Catalog(
            {Name("app", "users"): Relation(Name("app", "users"), (column("ssn", type_),), None, (), (), (), 0)}
        )
        result = ask("SELECT * FROM users", session(mode), masks, known)
        assert isinstance(result, Rewritten)
        assert result.text.startswith("SELECT * FROM (SELECT ")


def test_the_question_is_ascii_without_quotes_that_a_mode_changes() -> None:
    text = catalog_query(Needs(frozenset({Name("\u00e9\"'\\", "t")})), Flavor.MARIADB)
    assert text.isascii()
    assert not set('"\\`') & set(text)
    assert "check_constraints JOIN" in catalog_query(Needs(frozenset({Name("a", "t")})), Flavor.MYSQL)
    with pytest.raises(ValueError, match="too many"):
        catalog_query(Needs(frozenset(Name("a", str(n)) for n in range(MAX_NAMES + 1))), Flavor.MARIADB)


def _answer(columns: int) -> str:
    row = ["app", "users", "BASE TABLE", None, [["users", 1, "id", "int", "int(11)", 10, 0, "", None]], columns]
    row += [[["users", "PRIMARY", 0, "id"]], 1, None, 0, None, 0, 0, 1, 1]
    return json.dumps([row, ["app", "none", *[None] * 3, 0, None, 0, None, 0, None, 0, 0, 0, 0]]).encode().hex()


def test_an_answer_is_decoded() -> None:
    found = decode(_answer(1)).found
    assert found[Name("app", "none")] is None
    known = found[Name("app", "users")]
    assert known is not None
    assert [c.name for c in known.columns] == ["id"]
    assert known.indexes == (("PRIMARY", frozenset({"id"}), True),)
    assert known.triggers == 0
    assert known.whole


def test_an_answer_that_was_cut_short_is_refused() -> None:
    with pytest.raises(Refused):
        decode(_answer(2))
    assert isinstance(answer("SELECT 1 FROM users", MARIADB, _answer(2), MASKS), Unsafe)


def test_what_is_no_answer_raises_for_the_analyzer_to_drop() -> None:
    for text in ("zz", "5b", "7b7d5d"):
        with pytest.raises((ValueError, KeyError, TypeError)):
            answer("SELECT 1 FROM users", MARIADB, text, MASKS)
