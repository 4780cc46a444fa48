"""Templates: the same statement with other literals has the same one, and nothing else has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import reading
from hostagent.sql.mysql.template import template
from hostagent.sql.mysql.tokens import Type, Unread
from tests.unit.sql.mysql.mysqlcase import MARIADB, session


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = 4711"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'a longer one'"),
        ('SELECT a FROM t WHERE b = "x"', 'SELECT a FROM t WHERE b = "y"'),
        ("SELECT `it's` FROM t WHERE b = 'x'", "SELECT `it's` FROM t WHERE b = 'y'"),
        ("SELECT a FROM t LIMIT 1.5", "SELECT a FROM t LIMIT 2.25"),
        ("SELECT @a, t1.b2 FROM t1 WHERE c IN (1, 'x')", "SELECT @a, t1.b2 FROM t1 WHERE c IN (2, 'y')"),
    ],
)
def test_literals_are_holes(one: str, other: str) -> None:
    assert template(one, MARIADB) is not None
    assert template(one, MARIADB) == template(other, MARIADB)


def test_a_number_is_no_string_and_a_name_is_no_literal() -> None:
    assert template("SELECT 1", MARIADB) != template("SELECT '1'", MARIADB)
    assert template("SELECT `a`", MARIADB) != template("SELECT `b`", MARIADB)
    assert template("SELECT t1", MARIADB) != template("SELECT t2", MARIADB)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 -- x",
        "SELECT 1 # x",
        "SELECT 1 /* x */",
        "SELECT /*!50000 1 */",
        r"SELECT 'a\'b'",
        "SELECT 'a''b'",
        "SELECT 'a",
        "SELECT x'41'",
        "SELECT n'a'",
        "SELECT _utf8'a'",
        "SELECT 0x41",
        "SELECT 1e5",
        "SELECT .5",
        "SELECT 5.",
        "SELECT 1abc",
        "SELECT @'a'",
        "SELECT 'a'b",
        "SELECT `a",
        "SELECT 'a'\"b\"",
        "SELECT 1\x02",
        "SET x = 1, pwd = 'a'",
        "SELECT '" + "a" * 20_000 + "'",
    ],
)
def test_where_it_is_not_sure_there_is_none(text: str) -> None:
    assert template(text, MARIADB) is None


def test_quotes_and_character_sets_go_by_the_session() -> None:
    assert template('SELECT "a"', session("ANSI_QUOTES")) is None
    assert template("SELECT '\u00e9'", MARIADB) is not None
    assert template("SELECT '\u00e9'", session(charset="latin1")) is None


@given(st.text(alphabet="ab1 '\"`.,@=()\u00e9", max_size=30), st.text(alphabet="ab1 '\"`.,@=()\u00e9", max_size=30))
def test_two_texts_with_one_template_differ_in_literals_alone(one: str, other: str) -> None:
    made = template(one, MARIADB)
    if made is None or made != template(other, MARIADB):
        return
    try:
        first, second = (lex(text, reading(MARIADB)) for text in (one, other))
    except Unread:
        return
    kinds = [(t.type, "" if t.type in (Type.STRING, Type.NUMBER) else t.text) for t in first]
    assert kinds == [(t.type, "" if t.type in (Type.STRING, Type.NUMBER) else t.text) for t in second]
