"""The template lexer agrees with PostgreSQL's scanner wherever it answers at all."""

from __future__ import annotations

import postgast
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hostagent.sql.analysis import Analysis, Kind, Name, Statement
from hostagent.sql.template import MAX_TEMPLATE, filled, literal_free, literal_spans, literals, template

ICONST, FCONST, SCONST = 266, 260, 261  # token numbers of libpg_query 17, checked below


def test_token_numbers_are_the_scanners() -> None:
    tokens = [t.token for t in postgast.scan("1 1.5 'a'").tokens]
    assert tokens == [ICONST, FCONST, SCONST]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", "SELECT \x01"),
        ("SELECT 1.5, 'x' FROM t", "SELECT \x01, \x02 FROM t"),
        ("select t1.c2 from t1 where x = $1 and y=-3", "select t1.c2 from t1 where x = $1 and y=-\x01"),
        ("""select "a'b", 'c'""", """select "a'b", \x02"""),
    ],
)
def test_literals_become_holes(text: str, expected: str) -> None:
    assert template(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "select 'a''b'",
        "select E'a'",
        "select U&'a'",
        "select $$a$$",
        "select $x$a$x$",
        "select 1 -- c",
        "select 1 /* c */",
        "select 'a\\'",
        "select 1e5",
        "select 0x1F",
        "select 1_000",
        "select 12abc",
        "select .5",
        "select 5.",
        "select 1.5.2",
        "select 'open",
        'select "open',
        "select é'x'",
        "select 1\x00",
        "select " + "1," * MAX_TEMPLATE,
    ],
)
def test_no_template_where_it_is_not_sure(text: str) -> None:
    assert template(text) is None


pieces = st.sampled_from(
    ["select", " ", "\n", "'", '"', "a", "é", "1", "0", ".", "5", "$1", "$", "e", "E", "_", "-", "+", "(", ")", ",",
     "=", "'a'", "'b c'", '"q"', "::", "x", "/*", "--", "\\", "U&", "N", "t1", ";", "<", "@", "\u00a0", "٣"]
)  # fmt: skip


@given(st.lists(pieces, max_size=14).map("".join))
@example("1'a'")
@example("'a'1")
@example('"a""b" 1')
@example("$1 1 $12")
@example("a.1 .1")
def test_agrees_with_the_scanner(text: str) -> None:
    holed = template(text)
    if holed is None:
        return
    try:
        tokens = postgast.scan(text).tokens
    except postgast.PgQueryError:
        return  # the server refuses the text whole: nothing of it runs under a remembered ruling
    raw, at, expected = text.encode(), 0, b""
    for token in tokens:
        expected += raw[at : token.start]
        hole = {ICONST: b"\x01", FCONST: b"\x01", SCONST: b"\x02"}.get(token.token)
        expected += raw[token.start : token.end] if hole is None else hole
        at = token.end
    assert holed.encode() == expected + raw[at:]


@pytest.mark.parametrize(
    "text",
    [
        "select dblink_connect('a', 'host=x password=hunter2')",
        "select dblink_connect('a', 'postgres://app:hunter2@x/db')",
        "select password 'hunter2'",
    ],
)
def test_no_template_where_a_password_may_be(text: str) -> None:
    assert template(text) is None
    assert template("select dblink_connect('a', 'host=x')") is not None


def test_only_plain_row_statements_are_literal_free() -> None:
    plain = Statement(frozenset({Kind.SELECT}), functions=frozenset({Name("", "lower")}))
    assert literal_free(Analysis((plain,)))
    assert not literal_free(Analysis((Statement(frozenset({Kind.SET})),)))
    assert not literal_free(Analysis((plain, Statement(frozenset({Kind.SELECT}), settings=frozenset({"role"})))))
    assert not literal_free(Analysis((plain,), recorded_text="select '***'"))


def test_literals_are_put_back_where_they_stood() -> None:
    text = """SELECT 'a', "x 1", 2 FROM t WHERE b = 'é' AND c < 3.50"""
    assert literals(text) == ["'a'", "2", "'é'", "3.50"]
    assert [text[a:b] for a, b in literal_spans(text)] == literals(text)
    assert filled(("<", "|", "|", "|", ">"), text) == "<'a'|2|'é'|3.50>"
    assert filled(("as it is",), "SELECT a FROM t") == "as it is"


@pytest.mark.parametrize("pieces", [("a", "b"), ("a", "b", "c", "d")])
def test_pieces_of_another_template_are_not_filled(pieces: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="argument"):
        filled(pieces, "SELECT 1, 'x'")
