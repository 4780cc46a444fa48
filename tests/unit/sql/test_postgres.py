"""Statements → analysis: the table (statements.jsonl), evasions, limits, and any text at all.

A row of the table: text, kinds, reads, writes, functions, columns (relation/name), settings, each a list of words.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.sql.analysis import Analysis, Kind, Statement, Unanalyzed
from hostagent.sql.postgres import MAX_TEXT, analyze
from hostagent.sql.postgres.classify import HANDLERS
from hostagent.sql.postgres.tree import FIELDS, NODE
from hostagent.sql.postgres.walk import LEAVES, PASSED

ROWS = [json.loads(line) for line in (Path(__file__).parent / "statements.jsonl").read_text().splitlines()]


def statements(text: str) -> tuple[Statement, ...]:
    result = analyze(text)
    assert isinstance(result, Analysis), result
    return result.statements


def words(names: object) -> list[str]:
    return sorted(str(name) for name in names)  # type: ignore[attr-defined]


def row_of(statement: Statement) -> list[list[str]]:
    columns = sorted(f"{c.relation}/{c.name}" for c in statement.columns)
    fields = (statement.kinds, statement.reads, statement.writes, statement.functions)
    return [*(words(field) for field in fields), columns, words(statement.settings)]


@pytest.mark.parametrize(("text", "expected"), [(row[0], [r.split() for r in row[1:]]) for row in ROWS])
def test_table(text: str, expected: list[list[str]]) -> None:
    (statement,) = statements(text)
    assert row_of(statement) == expected


def test_table_is_large_and_has_every_kind() -> None:
    assert len(ROWS) >= 200
    kinds = {kind for row in ROWS for kind in row[1].split()}
    assert kinds == set(Kind) - {Kind.FUNCTION_CALL, Kind.EMPTY}


# (text, kinds of each statement, writes of all): each tries to look like something else.
EVASIONS = [
    ("SELECT 1 /* ; */ ; DROP TABLE t", ["select", "drop"], "t"),
    ("/* outer /* inner */ still */ DELETE FROM t", ["delete"], "t"),
    ("SELECT 1 -- \nFROM x; --\nDELETE FROM t", ["select", "delete"], "t"),
    ("SELECT '; DROP TABLE t'", ["select"], ""),
    ("SELECT $$; DROP TABLE t $$", ["select"], ""),
    ("SELECT $a$ $$; $b$ $a$; DROP TABLE t", ["select", "drop"], "t"),
    ("SELECT E'\\'; DROP TABLE t; --'", ["select"], ""),
    ("SELECT '\\'; DROP TABLE t; --'", ["select", "drop"], "t"),
    ('DELETE FROM U&"\\0074"', ["delete"], "t"),
    ("DELETE FROM U&\"!0074\" UESCAPE '!'", ["delete"], "t"),
    ('DELETE FROM "t"', ["delete"], "t"),
    ('DELETE FROM "a.t"', ["delete"], "a.t"),
    ('DELETE FROM "A"."t"', ["delete"], "A.t"),
    ("dElEtE\tfRoM\nT", ["delete"], "t"),
    ("DELETE/**/FROM/**/t", ["delete"], "t"),
    ("EXPLAIN (ANALYZE) WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x", ["delete explain select"], "t"),
    ("EXPLAIN ANALYZE CREATE TABLE n AS WITH x AS (SELECT 1) SELECT * FROM x", ["create explain select"], "n"),
    ("PREPARE p AS WITH x AS (UPDATE t SET a = 1 RETURNING 1) SELECT * FROM x", ["prepare select update"], "t"),
    ("COPY (WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x) TO STDOUT", ["copy_to delete select"], "t"),
    ("DECLARE c CURSOR FOR SELECT (SELECT 1) INTO", None, ""),
    ("WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) DELETE FROM a", ["delete select"], "a"),
    ("SELECT (SELECT (SELECT 1 FROM (VALUES (1)) v)); TRUNCATE t", ["select", "truncate"], "t"),
    ("BEGIN; DROP TABLE t; COMMIT", ["transaction", "drop", "transaction"], "t"),
    (";;SELECT 1;;DROP TABLE t;;", ["select", "drop"], "t"),
    ("SELECT 1\u00a0FROM t", None, ""),
    ("\ufeffDROP TABLE t", None, ""),
    ("DROP TABLE t; SELECT 'open", None, ""),
    ("SELECT 1 /* open", None, ""),
    ("!denied!", None, ""),
    ("SELECT 1;\\d", None, ""),
    ("HANDLER t OPEN", None, ""),
]


@pytest.mark.parametrize(("text", "kinds", "writes"), EVASIONS)
def test_evasions(text: str, kinds: list[str] | None, writes: str) -> None:
    if kinds is None:
        assert isinstance(analyze(text), Unanalyzed)
        return
    found = statements(text)
    assert [" ".join(words(s.kinds)) for s in found] == kinds
    assert words({w for s in found for w in s.writes}) == writes.split()


@pytest.mark.parametrize("text", ["", " ", ";", ";;", "-- a comment", "/* a comment */"])
def test_an_empty_text_is_one_empty_statement(text: str) -> None:
    assert statements(text) == (Statement(frozenset({Kind.EMPTY})),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT '\0'", "the statement contains a NUL character"),
        ("SELECT '\udc80'", "the statement is not valid UTF-8"),
        ("x" * (MAX_TEXT + 1), "the statement is longer than 1048576 bytes"),
        ("é" * (MAX_TEXT // 2 + 1), "the statement is longer than 1048576 bytes"),
        ("SELEC 1", "the statement cannot be parsed: syntax error at character 1"),
        ("SELECT 'é' FORM t x", "the statement cannot be parsed: syntax error at character 17"),
        ("SELECT 'x", "the statement cannot be parsed: not accepted at character 8"),
        ("SELECT " + "+".join("a" * 5000), "the statement is nested too deeply"),
    ],
)
def test_what_cannot_be_analyzed_says_why(text: str, reason: str) -> None:
    result = analyze(text)
    assert isinstance(result, Unanalyzed) and result.reason == reason


def test_the_parsers_own_words_come_apart_from_the_reason_as_they_quote_the_text() -> None:
    refused = analyze("ALTER ROLE é PASSWRD 'hunter2'")
    assert isinstance(refused, Unanalyzed) and "hunter2" not in refused.reason
    assert (refused.syntax, refused.position) == ('unrecognized role option "passwrd"', 14)
    unended = analyze("SELECT é, 'hunter2")
    assert isinstance(unended, Unanalyzed) and "hunter2" not in unended.reason
    assert (unended.syntax, unended.position) == ('unterminated quoted string at or near "\'hunter2"', 11)
    assert analyze("SELECT '\0'") == Unanalyzed("the statement contains a NUL character")


def test_every_statement_of_the_parser_is_known_or_refused_on_purpose() -> None:
    known = HANDLERS.keys() | PASSED
    assert {name for name in FIELDS[NODE].values() if name.endswith("Stmt")} - known == {
        "PLAssignStmt",  # PL/pgSQL only
        "RawStmt",
        "SetOperationStmt",  # made by the analysis phase of the server
    }
    assert (known | LEAVES) <= FIELDS.keys()
    assert not HANDLERS.keys() & (PASSED | LEAVES)


def test_the_reason_repeats_nothing_of_the_text() -> None:
    result = analyze("ALTER ROLE joe PASSWORD oops 'hunter2'")
    assert isinstance(result, Unanalyzed)
    assert "hunter2" not in result.reason


def test_a_text_of_the_longest_size_is_analyzed() -> None:
    text = "SELECT 1".ljust(MAX_TEXT)
    assert statements(text)[0].kinds == {Kind.SELECT}
    assert isinstance(analyze(text + " "), Unanalyzed)


def test_a_chain_of_operators_that_people_write_is_analyzed() -> None:
    assert statements("SELECT " + " || ".join(["a"] * 100) + " FROM t")[0].kinds == {Kind.SELECT}


def test_a_backslash_is_refused_where_it_may_end_a_literal_elsewhere() -> None:
    text = "SELECT '\\'; DROP TABLE t; --'"
    assert isinstance(analyze(text, standard_conforming_strings=False), Unanalyzed)
    assert isinstance(analyze("SELECT 'a'", standard_conforming_strings=False), Analysis)


WORDS = (
    "SELECT FROM WHERE t app . , ( ) * ; ' \" $$ -- /* */ U&'\\0061' E'\\'' WITH c AS DELETE INSERT INTO VALUES 1 $1 "
    "UPDATE SET = RETURNING EXPLAIN ANALYZE COPY TO STDOUT CREATE TABLE DROP GRANT ON f(a) :: || UNION é \U0001f600"
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS.split()), max_size=30).map(" ".join)))
def test_any_text_gives_an_analysis_or_a_reason(text: str) -> None:
    result = analyze(text)
    if isinstance(result, Unanalyzed):
        assert result.reason
        return
    assert result.statements
    assert all(s.kinds for s in result.statements)
    assert Analysis.from_json(json.loads(json.dumps(result.to_json()))) == result
