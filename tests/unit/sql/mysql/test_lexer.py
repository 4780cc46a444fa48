"""The lexer cuts a text as the server does, or says that it is not sure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.modes import check_charset, reading
from hostagent.sql.mysql.tokens import Type, Unread
from hostagent.values.mysql import Flavor, MysqlSettings
from tests.unit.sql.mysql.mysqlcase import MARIADB, MYSQL, session

OLD = session(version=100432)
ANSI = session("ANSI_QUOTES")
PLAIN = session("NO_BACKSLASH_ESCAPES")


def values(text: str, settings: MysqlSettings = MARIADB) -> list[str]:
    return [t.value for t in lex(text, reading(settings))[:-1]]


@pytest.mark.parametrize(
    ("text", "found", "settings"),
    [
        ("SELECT a-- b\n,c", ["select", "a", ",", "c"], MARIADB),
        ("SELECT a--b", ["select", "a", "-", "-", "b"], MARIADB),
        ("SELECT a--\tb", ["select", "a"], MARIADB),
        ("SELECT 1 --", ["select", "1"], MARIADB),
        ("SELECT 1 # x\r y", ["select", "1"], MARIADB),
        ("a/**/b", ["a", "b"], MARIADB),
        ("a /*/ b */ c", ["a", "c"], MARIADB),
        ("a /* ' */ b", ["a", "b"], MARIADB),
        ("1 /*!50000 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*! + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*!5000 + 1 */", ["1", "5000", "+", "1"], MARIADB),
        ("1 /*!101119 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*!101120 + 1 */", ["1"], MARIADB),
        ("1 /*!50699 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*!50700 + 1 */", ["1"], MARIADB),
        ("1 /*!80000 + 1 */", ["1"], MARIADB),
        ("1 /*!99999 + 1 */", ["1"], MARIADB),
        ("1 /*!100000 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*M!50701 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*M!100500 + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*M!100500 + 1 */", ["1"], OLD),
        ("1 /*M! + 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*M!100000 + 1 */", ["1"], MYSQL),
        ("1 /*!80000 + 1 */", ["1", "+", "1"], MYSQL),
        ("1 /*!80037 + 1 */", ["1"], MYSQL),
        ("1 /*!99999 a /* b */ c */ + 2", ["1", "+", "2"], MARIADB),
        ("1 /*!99999 a /*/ b */ c */ + 2", ["1", "+", "2"], MARIADB),
        ("1 /*!50000 + /* x */ 1 */", ["1", "+", "1"], MARIADB),
        ("1 /*!50000 + '*/' */", ["1", "+", "*/"], MARIADB),
        ("1 /*+ hint */ + 1", ["1", "+", "1"], MARIADB),
        (r"'a\'b'", ["a'b"], MARIADB),
        (r"'a\' 'b'", ["a\\", "b"], PLAIN),
        (r"'a\%\n\Z\x'", ["a\\%\n\x1ax"], MARIADB),
        ("'a''b'", ["a'b"], MARIADB),
        ('"a""b"', ['a"b'], MARIADB),
        ('"a\'b"', ["a'b"], MARIADB),
        ("`a``b`", ["a`b"], MARIADB),
        ("a.select", ["a", ".", "select"], MARIADB),
        ("@a.b := @@session.x", ["a.b", ":=", "session.x"], MARIADB),
        ("@'A b' @`C`", ["a b", "c"], MARIADB),
        ("1.5e3 .5 1. 0x4f 0b1 1e+2", ["1.5e3", ".5", "1.", "0x4f", "0b1", "1e+2"], MARIADB),
        ("a<=>b!=c", ["a", "<=>", "b", "!=", "c"], MARIADB),
        ("\u00e9t\u00e9", ["\u00e9t\u00e9"], MARIADB),
        ("LI\u212aE", ["li\u212ae"], MARIADB),  # the Kelvin sign is no K
    ],
)
def test_it_cuts_as_the_server_does(text: str, found: list[str], settings: MysqlSettings) -> None:
    assert values(text, settings) == found


def test_quotes_go_by_the_mode() -> None:
    assert lex('"a"', reading(MARIADB))[0].type is Type.STRING
    assert lex('"a"', reading(ANSI))[0].type is Type.QUOTED
    assert lex('"a"', reading(session("ANSI")))[0].type is Type.QUOTED


def test_a_token_says_whether_it_is_glued_to_the_one_before() -> None:
    for text, glued in (("f(", True), ("f (", False), ("f/**/(", False), ("/*!50000 f*/(", False)):
        assert lex(text, reading(MARIADB))[1].glued is glued, text


@pytest.mark.parametrize(
    "text",
    [
        "'a",
        '"a',
        "`a",
        "'abc''",
        "``",
        "`a `",
        "/* a",
        "/*! a",
        "/*!99999 a /* b */",
        "1abc",
        "1e",
        "0xZZ",
        "0b2",
        "0X1",
        "a.5",
        "`a`.5",
        "1..2",
        "1.e",
        "x'1'",
        "x'1g'",
        "b'2'",
        "@",
        "@ a",
        "@@",
        "@@`a`",
        "a\\b",
        "a\x01b",
        "\x7f",
        "--\x01",
        "/* \x01 */",
        "/*! a /*! b */ */",
        "/*!50000 a /*!99999 b */ */",
        "/*+ SET_VAR(sql_mode='') */",
        "?a",
        "@\u00e9",
        "@a\u00e9",
        "\U0001f600",
        "`\U0001f600`",
        "[a]",
        "a\u00e9\\",
    ],
)
def test_what_it_is_not_sure_of_it_does_not_read(text: str) -> None:
    with pytest.raises(Unread):
        lex(text, reading(MARIADB))


@pytest.mark.parametrize("mode", ["ORACLE", "MSSQL", "DB2", "SOMETHING_NEW"])
def test_a_mode_that_reads_otherwise_or_is_not_known_is_not_read(mode: str) -> None:
    with pytest.raises(Unread):
        reading(session(mode))
    reading(session("STRICT_TRANS_TABLES", "ONLY_FULL_GROUP_BY"))


def test_an_unknown_version_is_not_read() -> None:
    with pytest.raises(Unread):
        reading(session(version=0))


@pytest.mark.parametrize(
    ("text", "charset", "read"),
    [
        ("SELECT '\u00e9'", "utf8mb4", True),
        ("SELECT '\U0001f600'", "utf8mb4", True),
        ("SELECT '\U0001f600'", "utf8mb3", False),
        ("SELECT 'a'", "latin1", True),
        ("SELECT '\u00e9'", "latin1", False),
        ("SELECT 'a'", "gbk", False),
        ("SELECT 'a'", "sjis", False),
        ("SELECT 'a'", "", False),
    ],
)
def test_only_character_sets_that_cut_alike(text: str, charset: str, read: bool) -> None:
    if read:
        check_charset(text, charset)
    else:
        with pytest.raises(Unread):
            check_charset(text, charset)


@given(
    st.text(alphabet="ab1'\"`\\/*!M+-# \n.0x@;()\u00e9", max_size=40), st.sampled_from([MARIADB, ANSI, PLAIN, MYSQL])
)
def test_tokens_stand_where_they_say(text: str, settings: MysqlSettings) -> None:
    try:
        tokens = lex(text, reading(settings))
    except Unread:
        return
    assert tokens[-1].type is Type.END
    end = 0
    for token in tokens[:-1]:
        assert token.text == text[token.start : token.end]
        assert token.start >= end
        end = token.end


def test_flavors_are_told_apart() -> None:
    assert reading(MARIADB).mariadb
    assert not reading(MYSQL).mariadb
    assert MYSQL.flavor is Flavor.MYSQL
