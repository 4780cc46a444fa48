"""What a masked statement promises of its result, what keeps the client's names, and what another literal changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.analysis import Analysis
from hostagent.sql.masking.values import Mask, MaskKind, Masks, Rewritten
from hostagent.sql.mysql import analyze
from hostagent.sql.mysql.masking.catalog import Column
from hostagent.sql.mysql.masking.expression import constant
from hostagent.sql.mysql.masking.rewrite import rewrite
from hostagent.sql.mysql.template import filled, template
from hostagent.sql.template import literal_free
from hostagent.values.mysql import MysqlSettings
from tests.unit.sql.mysql.mysqlcase import MARIADB, session
from tests.unit.sql.mysql.test_masking import CATALOG, MASKS, USERS

HASHED = Masks((Mask("m", MaskKind.HASH, ("app.users.ssn",)),), b"\x5a" * 32)
KEY = re.compile("[0-9a-f]{128}")


def rewritten(text: str, masks: Masks = MASKS, settings: MysqlSettings = MARIADB) -> Rewritten:
    result = rewrite(text, settings, CATALOG, masks)
    assert isinstance(result, Rewritten), (text, result)
    return result


@pytest.mark.parametrize(
    ("text", "shape", "constants"),
    [
        ("SELECT * FROM users", ("id", "name", "ssn"), (None, None, "***")),
        ("SELECT u.*, SSN AS x, id + 1, 1 FROM users u", ("id", "name", "ssn", "x", None, None),
         (None, None, "***", "***", None, None)),
        ("SELECT app.users.ssn, `users`.`id` 'a b', NAME FROM users", ("ssn", "a b", "name"), ("***", None, None)),
        ("(SELECT ssn FROM users LIMIT 1)", ("ssn",), ("***",)),
        ("SELECT a.ssn, b.ssn, ssn FROM users a JOIN users b USING (id)", ("ssn", "ssn", "ssn"), ("***", "***", None)),
        ("WITH w AS (SELECT id FROM users), x AS (WITH y AS (SELECT 1) SELECT 2) SELECT ssn, id FROM users",
         ("ssn", "id"), ("***", None)),
        ("WITH w AS (SELECT ssn FROM users) SELECT ssn FROM w", ("ssn",), (None,)),
        ("SELECT ssn FROM (SELECT ssn FROM users) t", ("ssn",), (None,)),
        ("SELECT ssn, ssn AS `é` FROM users UNION SELECT name, name FROM users", ("ssn", None), (None, None)),
        ("SELECT ssn FROM users, plain", ("ssn",), (None,)),
        ("SELECT id, a FROM plain", ("id", "a"), (None, None)),
        ("SELECT * FROM plain", None, ()),
        ("SELECT * FROM users, plain", None, ()),
        ("SELECT * FROM users a NATURAL JOIN users b", None, ()),
        ("SELECT * FROM (SELECT 1) t, users", None, ()),
        ("SELECT 1; SELECT 2", None, ()),
        ("SELECT id INTO @a FROM plain LIMIT 1", None, ()),
        ("SHOW TABLES", None, ()),
        ("INSERT INTO plain (id) SELECT id FROM users", None, ()),
    ],
)  # fmt: skip
def test_what_a_result_must_look_like(
    text: str, shape: tuple[str | None, ...] | None, constants: tuple[str | None, ...]
) -> None:
    result = rewritten(text)
    assert (result.shape, result.constants) == (shape, constants)


def test_names_of_what_is_no_relation_are_told() -> None:
    text = "WITH w AS (SELECT 1 a) SELECT U.id FROM users U, (SELECT 2 b) AS T, w, v"
    assert rewritten(text).derived == ("t", "u", "users", "v", "w")
    assert rewritten("SELECT id FROM plain p").derived == ()


@pytest.mark.parametrize(
    ("kind", "type", "scale", "shown"),
    [
        (MaskKind.REDACT, "varchar", 0, "***"), (MaskKind.REDACT, "int", 0, "0"),
        (MaskKind.REDACT, "decimal", 2, "0.00"),
        (MaskKind.REDACT, "decimal", 0, "0"), (MaskKind.REDACT, "blob", 0, ""),
        (MaskKind.REDACT, "date", 0, "1970-01-01"),
        (MaskKind.REDACT, "point", 0, ""), (MaskKind.NULL, "varchar", 0, ""), (MaskKind.HASH, "varchar", 0, None),
        (MaskKind.HASH, "date", 0, "1970-01-01"), (MaskKind.PARTIAL, "varchar", 0, None),
        (MaskKind.PARTIAL, "int", 0, "0"),
        (MaskKind.REDACT, "double", 0, None), (MaskKind.FORMAT, "varchar", 0, None),
    ],
)  # fmt: skip
def test_which_masks_show_a_constant(kind: MaskKind, type: str, scale: int, shown: str | None) -> None:
    column = Column("c", type, type, 10, scale, False, "")
    assert constant(column, Mask("m", kind, (), 2, 2), bytes(32)) == shown


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SELECT (SELECT ssn FROM users LIMIT 1) FROM plain", "AS `(SELECT ssn FROM users LIMIT 1)` FROM plain"),
        ("SELECT EXISTS(SELECT 1\n FROM users), 1", "AS `EXISTS(SELECT 1  FROM users)` , 1"),
        ("SELECT concat(app.users.ssn) FROM users", "AS `concat(app.users.ssn)` FROM"),
        (
            "SELECT t.x FROM (SELECT (SELECT ssn FROM users) FROM plain) t (x)",
            "AS `(SELECT ssn FROM users)` FROM plain",
        ),
        ("INSERT INTO plain (id) VALUES (1) RETURNING (SELECT `ssn` FROM users)", "AS `(SELECT ``ssn`` FROM users)`"),
    ],
)
def test_a_column_is_named_by_the_clients_words(text: str, kept: str) -> None:
    for masks in (MASKS, HASHED):
        result = rewrite(text, MARIADB, CATALOG, masks)
        if not isinstance(result, Rewritten):
            assert "t (x)" in text or "RETURNING" in text, result
            continue
        assert kept in result.text
    assert not KEY.search(kept)


def test_a_name_that_the_client_gave_is_its_own() -> None:
    assert rewritten("SELECT (SELECT ssn FROM users) AS x").text == f"SELECT (SELECT ssn FROM {USERS} AS `users`) AS x"
    assert " AS `ssn`" not in rewritten("SELECT app.users.id FROM users").text.split("FROM")[0]


def test_a_long_expression_names_its_column_as_far_as_a_name_goes() -> None:
    text = f"SELECT (SELECT {'1 + ' * 200} id FROM users LIMIT 1)"
    (name,) = re.findall(r"\) AS `([^`]+)`$", rewritten(text).text)
    assert len(name) <= 200 and text.startswith(f"SELECT {name}")


TEXTS = (
    "SELECT name, ssn FROM users WHERE id = 7 AND name <> 'x' LIMIT 3",
    'SELECT name FROM users AS u WHERE name = "x" ORDER BY 1, ssn',
    "SELECT a FROM plain WHERE id IN (1, 2.5, -3) AND a LIKE '%x'",
    "SELECT count(*), 'c' FROM users GROUP BY 2 HAVING count(*) > 1",
    "SELECT app.users.id FROM users WHERE id BETWEEN 1 AND 2",
    "INSERT INTO plain (id, a) VALUES (1, 'x'), (2, 'y')",
    "UPDATE plain SET a = 'x' WHERE id = 1",
    "DELETE FROM plain WHERE a = 'x'",
    "SELECT s FROM v WHERE id = 1",
    "SELECT CASE WHEN id = 1 THEN 'a' ELSE 'b' END AS k FROM users",
    "SELECT 'x' AS k, id FROM users WHERE id = 5",
    "SELECT (SELECT ssn FROM users WHERE id = 1)",
    "SELECT id 'k' FROM users",
    "SELECT id FROM users WHERE id = 1; SELECT 2",
)
VALUES = st.one_of(
    st.integers(0, 10**9).map(str), st.decimals(0, 10**6, places=2).map(str),
    st.text(st.characters(blacklist_characters="'\"\\`#-/*\x7f", min_codepoint=32, max_codepoint=0x3000), max_size=6),
)  # fmt: skip


@given(st.sampled_from(TEXTS), st.data())
def test_another_text_of_the_template_is_sent_as_if_it_had_been_rewritten(text: str, data: st.DataObject) -> None:
    known = rewritten(text)

    def other(found: re.Match[str]) -> str:
        mark = found.group()[0]
        drawn = data.draw(VALUES)
        return f"{mark}{drawn}{mark}" if mark in "'\"" else str(data.draw(st.integers(0, 10**6)))

    changed = re.sub(r"'[^']*'|\"[^\"]*\"|(?<![\w.])[0-9]+(?:\.[0-9]+)?(?![\w.])", other, text)
    if not known.pieces or template(changed, MARIADB) != template(text, MARIADB):
        return
    whole = rewritten(changed)
    assert filled(known.pieces, changed) == whole.text
    assert (whole.pieces, whole.shape, whole.constants, whole.masked) == (
        known.pieces, known.shape, known.constants, known.masked,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "number"),
    [(TEXTS[0], 4), (TEXTS[5], 5), (TEXTS[8], 2), (TEXTS[10], 3), (TEXTS[11], 0), (TEXTS[12], 0), (TEXTS[13], 3),
     ("SELECT a FROM plain -- 1", 0), ("SELECT a FROM plain WHERE a = 'it''s'", 0), ("SELECT a FROM plain", 1)],
)  # fmt: skip
def test_which_texts_have_pieces(text: str, number: int) -> None:
    assert len(rewritten(text).pieces) == number


def test_where_quotes_mean_names_there_are_no_pieces() -> None:
    quotes = session("ANSI_QUOTES")
    assert rewritten('SELECT "name" FROM users WHERE id = 1', settings=quotes).pieces == ()


def test_what_has_pieces_is_what_a_ruling_is_kept_for() -> None:
    for text in TEXTS:
        analysis = analyze(text, MARIADB)
        assert isinstance(analysis, Analysis) and literal_free(analysis)
