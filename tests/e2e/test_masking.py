"""Masked at the source, end to end: stock clients, a real server, the daemon; the masked values never cross."""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hostagent.sql.masking.expression import derive_key
from tests.e2e.world import Done, World, target, world

DSN = "host=10.77.0.2 dbname=postgres user=trusting"
SECRETS = ("987-65-4321", "987-00-0001", "4111111111111111")
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [
        {"name": "work", "actors": "*", "targets": "orders",
         "allow": {"kinds": ["read", "write", "session", "create"], "functions": "*", "settings": "*"}},
    ],
    "masks": [
        {"name": "ssn", "targets": "orders", "columns": "public.people.ssn", "mask": "redact"},
        {"name": "card", "targets": "orders", "columns": "public.people.card", "mask": "hash"},
    ],
}  # fmt: skip
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, card text);
INSERT INTO people VALUES (1, 'Ann', '987-65-4321', '4111111111111111'), (2, 'Bob', '987-00-0001', '4111111111111111');
CREATE VIEW shown AS SELECT id, ssn AS number FROM people;
CREATE TABLE plain AS SELECT g AS id, 'row ' || g AS v FROM generate_series(1, 5) g;
"""
RUN = """
import json, psycopg, sys
out = []
with psycopg.connect(sys.argv[1], autocommit=True, **json.loads(sys.argv[3])) as conn:
    for text in json.loads(sys.argv[2]):
        try:
            cursor = conn.execute(*text)
            rows = [list(map(str, row)) for row in cursor.fetchall()] if cursor.description else None
            out.append(cursor.statusmessage if rows is None else rows)
        except psycopg.Error as error:
            out.append([error.sqlstate, str(error)])
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, workers=1) as made:
        made.postgres.sql(SCHEMA)
        yield made


def run(here: World, *texts: Any, **options: Any) -> list[Any]:
    """What a governed psycopg client gets for these statements, in one session."""
    asked = [[text] if isinstance(text, str) else list(text) for text in texts]
    done = here.governed(sys.executable, "-c", RUN, DSN, json.dumps(asked), json.dumps(options))
    assert done.returncode == 0, done
    unmasked(done)
    answers: list[Any] = json.loads(done.stdout)
    return answers


def unmasked(done: Done) -> None:
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


PEOPLE = "SELECT id, ssn FROM people ORDER BY id"
MASKED = [["1", "***"], ["2", "***"]]


def test_masked_columns_are_masked_and_others_are_not(here: World) -> None:
    (rows,) = run(here, "SELECT id, name, ssn, card FROM people ORDER BY id")
    assert rows[0] != "42501", rows
    assert [row[:3] for row in rows] == [["1", "Ann", "***"], ["2", "Bob", "***"]]
    assert rows[0][3] == rows[1][3] and len(rows[0][3]) >= 16  # a hash: equal values stay equal


@pytest.mark.parametrize("options", [{}, {"prepare_threshold": 0}, {"prepare_threshold": None}])
def test_every_protocol_mode_is_masked(here: World, options: dict[str, Any]) -> None:
    by_id = ["SELECT ssn FROM people WHERE id = %s", [1]]
    binary = ["SELECT ssn FROM people WHERE id = %s", [2], {"binary": True}]
    assert run(here, PEOPLE, by_id, by_id, binary[:2], **options) == [MASKED, [["***"]], [["***"]], [["***"]]]


def test_psql_its_copy_and_its_cursor_are_masked(here: World) -> None:
    done = here.psql(
        DSN,
        PEOPLE + ";",
        "COPY people TO STDOUT;",
        "COPY (SELECT ssn FROM people) TO STDOUT;",
        "BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM people; FETCH ALL FROM c; COMMIT;",
        "PREPARE p AS SELECT ssn FROM people WHERE id = $1; EXECUTE p(1);",
        "SELECT number FROM shown; SELECT p FROM people p;",
    )
    unmasked(done)
    assert done.stdout.count("***") >= 11, done


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM people WHERE ssn LIKE '987%'",
        "SELECT id FROM people ORDER BY ssn, id",
        "SELECT 1/(CASE WHEN ssn LIKE '987-65%' THEN 0 ELSE 1 END) FROM people",
        "SELECT ssn::int FROM people",
        "SELECT max(ssn) FROM people",
        "SELECT string_agg(ssn, ',') FROM people",
        "SELECT row_to_json(people) FROM people",
    ],
)
def test_what_is_asked_about_a_masked_column_is_answered_about_its_mask(here: World, text: str) -> None:
    (answer,) = run(here, text)
    assert "987" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT ctid FROM people", "ctid"),
        ("CREATE TABLE taken AS SELECT * FROM people", "masked"),
        ("EXPLAIN SELECT * FROM people WHERE ssn = 'x'", "a plan tells"),
        ("SELECT query_to_xml('SELECT ssn FROM people', true, true, '')", "query_to_xml"),
        ("UPDATE people SET name = ssn", "masked"),
        ("DO $$ BEGIN RAISE '%', (SELECT ssn FROM people LIMIT 1); END $$", ""),
    ],
)
def test_what_cannot_be_made_safe_is_denied_and_says_why(here: World, text: str, why: str) -> None:
    denied, after = run(here, text, PEOPLE)
    assert denied[0] == "42501" and why in denied[1]
    assert after == MASKED


def test_a_syntax_error_is_told_as_such(here: World) -> None:
    failed, after = run(here, "SELECT ssn FORM people x", PEOPLE)
    assert failed[0] == "42601" and failed[1].startswith('syntax error at or near "people"')
    assert after == MASKED


@pytest.mark.parametrize("first", ["SET search_path TO public, pg_catalog", "CREATE TEMP TABLE own (a int)"])
def test_a_session_on_its_own_is_masked_for_every_literal(here: World, first: str) -> None:
    asked = [f"SELECT id, ssn FROM people WHERE id = {n}" for n in (1, 2, 1)]
    within = ["BEGIN", "SET LOCAL search_path TO public", *asked[:2], "ROLLBACK", *asked]
    answers = run(here, first, *asked, *within)
    rows = [[["1", "***"]], [["2", "***"]], [["1", "***"]]]
    assert answers[1:4] == rows
    assert answers[6:8] == rows[:2]
    assert answers[9:] == rows


def test_a_temporary_relation_comes_first_and_goes_with_its_transaction(here: World) -> None:
    asked = "SELECT ssn FROM people WHERE id = 1"
    made = "CREATE TEMP TABLE people ON COMMIT DROP AS SELECT 1 AS id, 'own' AS ssn"
    answers = run(here, asked, "BEGIN", made, asked, asked, "COMMIT", asked, asked)
    assert [answers[n] for n in (0, 3, 4, 6, 7)] == [[["***"]], [["own"]], [["own"]], [["***"]], [["***"]]]


def test_a_failed_transaction_denies_and_ends_as_ever(here: World) -> None:
    answers = run(here, "BEGIN", "SELECT nothing FROM plain", "SELECT ssn, 1 FROM people", "ROLLBACK", PEOPLE)
    assert [answers[1][0], answers[3], answers[4]] == ["42703", "ROLLBACK", MASKED]
    assert answers[2][0] == "25P02" and "current transaction is aborted" in answers[2][1]


def test_a_search_path_that_changed_is_asked_for_anew(here: World) -> None:
    texts = ["CREATE SCHEMA other", "CREATE TABLE other.people (id int, ssn text)", PEOPLE, "SET search_path = other"]
    assert run(here, *texts, PEOPLE, "SET search_path = public", PEOPLE)[2:] == [MASKED, "SET", [], "SET", MASKED]


def test_temporary_relations_are_those_of_their_own_session(here: World) -> None:
    assert run(here, PEOPLE) == [MASKED]
    own = ["CREATE TEMP TABLE people (id int, ssn text)", "INSERT INTO people VALUES (7, 'mine')", PEOPLE]
    assert run(here, *own)[2] == [["7", "mine"]]
    assert run(here, PEOPLE) == [MASKED]


def test_a_column_that_is_added_is_seen_by_who_added_it(here: World) -> None:
    here.postgres.sql("CREATE TABLE growing (id int); INSERT INTO growing VALUES (1)")
    before, after = run(here, "SELECT * FROM growing"), None
    here.postgres.sql("ALTER TABLE growing OWNER TO trusting")
    _, after = run(here, "CREATE TABLE unrelated (id int)", "SELECT * FROM growing")
    assert before == [[["1"]]] and after == [["1"]]


def test_pipelined_statements_are_masked(here: World) -> None:
    code = (
        "import psycopg, sys\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as c:\n"
        "    with c.pipeline():\n"
        "        text = 'SELECT ssn FROM people WHERE id = %s AND 1 = '\n"
        "        cursors = [c.execute(text + str(n), [1]) for n in (1, 1, 2)]\n"
        "    print([x.fetchall() for x in cursors])\n"
    )
    done = here.governed(sys.executable, "-c", code, DSN)
    unmasked(done)
    assert done.stdout.strip() == "[[('***',)], [('***',)], []]", done


def test_the_events_say_what_was_masked_and_hold_no_key(here: World) -> None:
    text = "SELECT card, 'told' FROM people"
    (rows,) = run(here, text)
    (event,) = here.decided(text)
    assert event["unmapped"]["masked"] == ["public.people.card", "public.people.ssn"]
    host = (here.agent.state / "mask.key").read_bytes()
    key = derive_key(host, "orders")
    assert rows[0][0] == hmac.new(key, b"4111111111111111", "sha256").hexdigest()  # it is the key that was used
    ours = json.dumps({name: value for name, value in event.items() if name != "actor"})  # command lines are not ours
    assert "pg_catalog" not in ours and "sha256" not in ours
    inner = bytes(byte ^ 0x36 for byte in key)  # as the rewritten statement has it (RFC 2104)
    assert not [secret for secret in (host, key, inner) if secret.hex() in json.dumps(event)]
