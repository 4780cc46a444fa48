"""MySQL masking: databases that differ only in masked values answer alike, and everyday statements stay as they are.

The statement is rewritten and sent by the test itself, as a text and prepared. What a session does besides (errors
rebuilt, warnings dropped) is for the end-to-end tests.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

import pytest

from hostagent.sql.masking.values import Mask, MaskKind, Masks, Rewritten
from tests.corpus.mysql import mysqlworld as world
from tests.corpus.mysql.mysqlworld import Session
from tests.lab.mariadb import MariaDB

pytestmark = pytest.mark.timeout(300)

EVASIONS = world.statements("evasions.sql")
EVERYDAY = world.statements("everyday.sql")


@dataclass
class Asked:
    """What one database answered: masked (None where refused), and what the raw statement gives."""

    masked: dict[str, Any]
    refused: dict[str, str]
    raw: dict[str, Any]


def _ask(server: MariaDB, values: str) -> Asked:
    world.make(server, values)
    session = Session.open(server)
    asked = Asked({}, {}, {})
    for text in EVASIONS:
        result = session.rewritten(text)
        if not isinstance(result, Rewritten):
            asked.refused[text] = result.reason
            continue
        answers = []
        for prepared in (False, True):
            answers.append(session.run(result.text, prepared=prepared))
            if not text.upper().startswith(("SELECT", "WITH", "(", "SHOW")):
                answers.append(session.state())
                session.connection.rollback()
        asked.masked[text] = answers
    session.connection.close()
    raw = Session.open(server)
    for text in EVASIONS:
        if text.split()[0].upper() in ("SELECT", "WITH", "(SELECT", "TABLE", "VALUES", "UPDATE", "DELETE", "INSERT"):
            asked.raw[text] = raw.run(text)
            raw.connection.rollback()
    raw.connection.close()
    return asked


@pytest.fixture(scope="module")
def both(server: MariaDB) -> tuple[Asked, Asked]:
    return _ask(server, "one"), _ask(server, "two")


def test_no_answer_tells_the_databases_apart(both: tuple[Asked, Asked]) -> None:
    one, two = both
    assert one.refused == two.refused
    leaks = [text for text in one.masked if one.masked[text] != two.masked[text]]
    assert not leaks, "\n".join(f"{text}\n   {one.masked[text]}\n   {two.masked[text]}" for text in leaks)


def test_the_statements_would_tell_without_masks(both: tuple[Asked, Asked]) -> None:
    one, two = both
    telling = [text for text in one.raw if one.raw[text] != two.raw[text]]
    assert len(EVASIONS) >= 200
    assert len(telling) >= 80, len(telling)
    assert len(one.masked) >= 100, "most are masked, not refused"


def test_nothing_of_the_values_is_in_an_answer(both: tuple[Asked, Asked]) -> None:
    for asked in both:
        for text, answers in asked.masked.items():
            if "987" not in text:
                assert "987-65" not in repr(answers), text


def test_everyday_statements_pass_and_those_without_masked_columns_are_unchanged(server: MariaDB) -> None:
    world.make(server, "one")
    session = Session.open(server)
    refused, changed = [], []
    for text in EVERYDAY:
        result = session.rewritten(text)
        if not isinstance(result, Rewritten):
            refused.append((text, result.reason))
        elif result.text != text:
            changed.append(text)
    assert len(refused) <= len(EVERYDAY) // 50, "\n".join(map(str, refused))
    assert all("users" in text or "information_schema" in text.lower() for text in changed), changed


def test_an_account_with_few_rights_gets_no_more_by_views(server: MariaDB) -> None:
    world.make(server, "one")
    server.sql(
        "CREATE OR REPLACE USER narrow@localhost; GRANT SELECT (id, name) ON app.users TO narrow@localhost;"
        "GRANT SELECT, SHOW VIEW ON app.v_users TO narrow@localhost; GRANT SELECT ON app.v_temp TO narrow@localhost;"
        "GRANT SELECT, SHOW VIEW ON app.v_of_v TO narrow@localhost; GRANT ALL ON app.dept TO narrow@localhost"
    )
    session = Session.open(server, user="narrow")
    for text in ("SELECT * FROM v_users", "SELECT * FROM v_of_v", "SELECT * FROM v_temp"):
        result = session.rewritten(text)
        answer = session.run(result.text) if isinstance(result, Rewritten) else None
        assert "987" not in repr(answer), text
    for text in (
        "SELECT * FROM users",
        "SELECT name FROM users WHERE id = 1",
        "UPDATE dept SET name = 'x' WHERE id = 1",
    ):
        result = session.rewritten(text)
        assert isinstance(result, Rewritten), text
        assert isinstance(session.run(result.text), list), text


@pytest.mark.parametrize("kind", list(MaskKind))
def test_every_mask_shows_what_it_says(server: MariaDB, kind: MaskKind) -> None:
    world.make(server, "one")
    mask = Mask("m", kind, ("app.users.ssn", "app.users.salary"), first=0, last=4)
    session = Session.open(server, Masks((mask,), world.KEY))
    result = session.rewritten("SELECT ssn, salary FROM users ORDER BY id")
    assert isinstance(result, Rewritten)
    rows = session.run(result.text)[0][1]
    first, numbers = [row[0] for row in rows], [row[1] for row in rows]
    shown = {
        MaskKind.REDACT: "***",
        MaskKind.NULL: None,
        MaskKind.PARTIAL: "*******4321",
        MaskKind.FORMAT: "000-00-0000",
        MaskKind.HASH: _hmac(world.KEY, "987-65-4321"),
    }
    assert first[0] == shown[kind]
    assert (first[2] is None) is (kind is not MaskKind.REDACT)
    assert not {100, 200, 300} & set(numbers)
    assert (numbers[2] == numbers[3]) is True, "equal values stay equal"


def _hmac(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), "sha256").hexdigest()
