"""The oracle of the corpus complains where an analysis says too little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hostagent.sql.analysis import Analysis, Kind, Statement
from hostagent.sql.postgres import analyze
from tests.corpus.oracle import complaints

TEXT = "WITH x AS (DELETE FROM app.t RETURNING a) SELECT f(b) FROM u, x"


def true() -> Statement:
    result = analyze(TEXT)
    assert isinstance(result, Analysis)
    return result.statements[0]


def test_the_truth_is_accepted() -> None:
    assert complaints(TEXT, (true(),)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        replace(true(), kinds=frozenset({Kind.SELECT})),
        replace(true(), kinds=frozenset({Kind.DELETE})),
        replace(true(), reads=frozenset(), writes=true().writes),
        replace(true(), reads=frozenset(), writes=frozenset()),
        replace(true(), functions=frozenset()),
    ],
)
def test_less_than_the_truth_is_not(wrong: Statement) -> None:
    assert complaints(TEXT, (wrong,)) != []


def test_a_missing_column_or_statement_is_seen() -> None:
    (statement,) = analyze("SELECT a FROM t").statements  # type: ignore[union-attr]
    assert complaints("SELECT a FROM t", (statement,)) == []
    assert complaints("SELECT a FROM t", (replace(statement, columns=frozenset()),)) == ["column a"]
    assert complaints("SELECT a FROM t; SELECT 1", (statement,)) == ["2 statements, not 1"]
