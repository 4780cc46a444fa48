"""The second parser: what it reads otherwise, drops or does not know is not understood."""

from __future__ import annotations

from typing import Any

import pytest

from hostagent.sql.mysql import second
from hostagent.sql.mysql.found import Found
from hostagent.sql.mysql.statements import read
from hostagent.sql.mysql.tokens import Token, Unread
from tests.unit.sql.mysql.mysqlcase import MARIADB

TEXT = "SELECT a, 'x', 5 FROM t JOIN u ON t.a = u.b /*!50000 WHERE c = 'y' */"


def one(text: str = TEXT) -> tuple[list[Token], Found]:
    tokens, (found,) = read(text, MARIADB)
    return tokens, found


def test_two_that_agree_pass() -> None:
    second.check(*one())
    second.check(*one("SELECT hole3, `hole5` FROM hole7 AS hole9"))
    second.check(*one("WITH `x` AS (SELECT 1), y AS (SELECT * FROM `x`) SELECT * FROM y, t AS z, (SELECT 2) AS w"))
    second.check(*one("DELETE x, y FROM t AS x JOIN u AS y ON x.a = y.a"))


def test_a_relation_that_only_one_of_them_sees_is_refused() -> None:
    tokens, found = one()
    found.sources.pop()
    with pytest.raises(Unread, match="other relations"):
        second.check(tokens, found)


@pytest.mark.parametrize("dropped", ["hole3", "hole1"])
def test_what_it_drops_is_noticed(monkeypatch: pytest.MonkeyPatch, dropped: str) -> None:
    tokens, found = one()
    written = second._written
    monkeypatch.setattr(second, "_written", lambda tree: written(tree).replace(dropped, "gone", 1))
    with pytest.raises(Unread, match="loses"):
        second.check(tokens, found)


def test_what_it_does_not_know_or_see_through_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unread, match="does not know"):
        second.check(*one("VALUES (1, 2), (3, 4)"))
    monkeypatch.setattr(second, "_text", lambda *_: "GRANT x TO y")
    with pytest.raises(Unread, match="see through"):
        second.check(*one())


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError])
def test_its_own_faults_are_no_answer(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error("internal")

    monkeypatch.setattr(second._sqlglot(), "parse", fails)
    with pytest.raises((Unread, RecursionError)):
        second.check(*one())
