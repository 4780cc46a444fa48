"""Masks of a MySQL target through the daemon: two databases that differ only in masked values give the same packets.

The statements and the databases are those of tests/corpus/mysql, whose tests ask the whole corpus with nothing but the
rewriting in between. Here what the session does besides counts: errors, warnings, prepared statements, cursors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.corpus.mysql import mysqlworld
from tests.e2e.mysql_world import PORT, MysqlWorld, address, target, world

pytestmark = pytest.mark.timeout(300)

MASKED, OPEN = 2, 3
EVERY = 4  # of the corpus
HOWS = ("query", "prepared", "cursor")
READS = ("SELECT", "WITH", "(SELECT", "VALUES", "TABLE")
BESIDE = ("OUTFILE", "DUMPFILE", "LOAD_FILE")  # what the server would really do where nothing is masked
ERRORS = [  # what the server says in words
    "SELECT EXTRACTVALUE(1, CONCAT(0x7e, (SELECT ssn FROM users WHERE id = 1)))",
    "SELECT UPDATEXML(1, CONCAT(0x7e, (SELECT ssn FROM users WHERE id = 1)), 1)",
    "INSERT INTO people (id, ssn) SELECT 9, ssn FROM people WHERE id = 1",
    "INSERT INTO people (id, ssn) VALUES (9, '111')",
    "SELECT CAST(ssn AS SIGNED) FROM users",
    "SELECT ssn + 1 FROM users",
    "INSERT INTO log (id) SELECT ssn FROM users WHERE id = 1",
    "SELECT JSON_EXTRACT(ssn, '$.a') FROM users",
    "SELECT no_such_column, ssn FROM users",
    "SHOW WARNINGS",
]
CONVERSATIONS: list[list[tuple[str, str]]] = [
    [("query", "SELECT ssn FROM users ORDER BY id; SELECT id, salary FROM users ORDER BY id; SELECT name FROM dept")],
    [("query", "SET @x = 'ssn'"), ("query", "SELECT ssn INTO @y FROM users WHERE id = 1"), ("query", "SELECT @y")],
    [("query", "CREATE TEMPORARY TABLE t AS SELECT ssn FROM users"), ("query", "SELECT * FROM t")],
    [("command", "04" + b"users\0".hex()), ("command", "09"), ("command", "0a"), ("command", "0d")],
    [("query", "USE other"), ("query", "SELECT * FROM app.users ORDER BY id"), ("query", "SELECT * FROM users")],
    [("command", "02" + b"other".hex()), ("prepared", "SELECT * FROM app.users"), ("query", "SELECT name FROM users")],
    [("query", "SET SESSION character_set_results = 'binary'"), ("query", "SELECT * FROM users ORDER BY id")],
    [("query", "SET sql_mode = 'ANSI_QUOTES'"), ("query", 'SELECT "ssn", id FROM "users" ORDER BY id')],
    [("query", "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'"), ("cursor", 'SELECT id || "ssn" FROM users')],
]  # fmt: skip


def policy() -> dict[str, Any]:
    """Allows what can be allowed: what is refused is refused because of masks."""
    masks = [
        {"name": m.name, "targets": "masked", "columns": list(m.columns), "mask": m.kind.value}
        for m in mysqlworld.MASKS.entries
    ]
    return {
        "targets": [target("masked", MASKED, "off"), target("open", OPEN, "off")],
        "rules": [{
            "name": "anything", "actors": "*", "targets": "*",
            "allow": {"kinds": "any", "functions": "*", "settings": "*"},
        }],
        "masks": masks,
    }  # fmt: skip


@dataclass
class Asked:
    """What one database answered."""

    masked: list[list[str]]
    open: list[list[str]]
    conversations: list[list[list[str]]]


TEXTS = mysqlworld.statements("evasions.sql")[::EVERY]
QUESTIONS = [(how, text) for text in TEXTS for how in HOWS]
SAFE = [("query", text) for text in TEXTS if text.upper().startswith(READS) and not any(b in text for b in BESIDE)]
ERRING = [("query", text) for text in ERRORS]


def with_rollback(asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each question, what the log and the departments hold after it, and all of it undone."""
    after = [("query", "SELECT * FROM log"), ("query", "SELECT * FROM dept"), ("query", "ROLLBACK")]
    return [step for question in asked for step in (question, *after)]


def ask(here: MysqlWorld, values: str) -> Asked:
    """Everything, of the database with those masked values."""
    mysqlworld.make(here.mariadb, values)
    masked = here.wire(MASKED, with_rollback(QUESTIONS + ERRING), "app")
    conversations = [here.wire(MASKED, conversation, "app") for conversation in CONVERSATIONS]
    return Asked(masked, here.wire(OPEN, with_rollback(SAFE + ERRING), "app"), conversations)


@pytest.fixture(scope="module")
def here() -> Iterator[MysqlWorld]:
    with world(policy()) as made:
        made.mariadb.sql("CREATE USER anybody; GRANT ALL ON *.* TO anybody")
        yield made


@pytest.fixture(scope="module")
def both(here: MysqlWorld) -> tuple[Asked, Asked]:
    return ask(here, "one"), ask(here, "two")


def test_no_packet_tells_the_databases_apart(both: tuple[Asked, Asked]) -> None:
    one, two = both
    asked = with_rollback(QUESTIONS + ERRING)
    telling = [
        (question, *answers)
        for question, *answers in zip(asked, one.masked, two.masked, strict=True)
        if answers[0] != answers[1]
    ]
    assert not telling, "\n".join(map(str, telling))
    assert one.conversations == two.conversations


def test_they_would_without_masks(both: tuple[Asked, Asked]) -> None:
    one, two = both
    telling = sum(a != b for a, b in zip(one.open, two.open, strict=True))
    assert telling >= len(SAFE) // 2, telling
    assert "987-65-4321" in str(one.open[len(SAFE) * 4 :]), "errors tell what stands in the rows"


def test_most_are_answered_however_they_are_asked(both: tuple[Asked, Asked]) -> None:
    answers = both[0].masked[::4]
    for turn, how in enumerate(HOWS):
        answered = sum(packets[-1][0] != "\xff" for packets in answers[turn : len(QUESTIONS) : len(HOWS)])
        assert answered >= len(TEXTS) // 3, how
    assert not any("(gone)" in packets for packets in both[0].masked)


def test_nothing_of_the_values_is_in_a_packet(both: tuple[Asked, Asked]) -> None:
    for asked in both:
        for question, packets in zip(with_rollback(QUESTIONS), asked.masked, strict=False):
            assert "987" in question[1] or "987-65" not in str(packets), question
        assert "987-65" not in str(asked.masked[len(QUESTIONS) * 4 :])
        assert "987-65" not in str(asked.conversations)


def test_errors_and_warnings_keep_their_numbers_only(both: tuple[Asked, Asked]) -> None:
    masked, opened = both[0].masked[len(QUESTIONS) * 4 :: 4], both[0].open[len(SAFE) * 4 :: 4]
    told = {text: (m[-1], o[-1]) for (_, text), m, o in zip(ERRING, masked, opened, strict=True)}
    duplicate, of_server = told["SELECT no_such_column, ssn FROM users"]
    assert duplicate[:9] == of_server[:9]
    assert "no_such_column" in of_server and "no_such_column" not in duplicate
    masked_eof, open_eof = told["SELECT CAST(ssn AS SIGNED) FROM users"]
    assert (masked_eof[1:3], open_eof[1:3]) == ("\0\0", "\x03\0"), "the number of warnings"


def test_what_a_session_may_see_is_masked_in_every_form(here: MysqlWorld, both: tuple[Asked, Asked]) -> None:
    asked = [(how, "SELECT id, ssn, salary FROM users ORDER BY id") for how in HOWS]
    for packets in here.wire(MASKED, asked, "app"):
        rows = [packet for packet in packets if "***" in packet]
        assert len(rows) == 4, packets
    text = here.wire(OPEN, asked[:1], "app")[0]
    assert not any("***" in packet for packet in text)


def test_a_masked_statement_is_recorded_as_it_was_asked(here: MysqlWorld, both: tuple[Asked, Asked]) -> None:
    statement = "SELECT ssn AS recorded FROM users WHERE id = 1"
    here.wire(MASKED, [("query", statement)], "app")
    (decided,) = here.decided(statement)
    assert here.finished(decided["unmapped"]["decision"])["unmapped"]["rows"] == 1


# times, estimates and numbers that are each session's own
VOLATILE = re.compile(
    r"NOW\(|UUID|CONNECTION_ID|SHOW VARIABLES$|STATUS WHERE|TRIGGERS|table_rows|EXPLAIN|SHOW (INDEX|KEYS)|READ ONLY",
    re.IGNORECASE,
)
EVERYDAY = [("query", text) for text in mysqlworld.statements("everyday.sql") if not VOLATILE.search(text)]


def test_everyday_statements_are_answered_as_by_the_server(here: MysqlWorld, both: tuple[Asked, Asked]) -> None:
    answers = []
    for run in (here.governed, here.direct):
        mysqlworld.make(here.mariadb, "one")
        answers.append(here.wire(OPEN, EVERYDAY, "app", run))
    other = [case for case in zip(EVERYDAY, *answers, strict=True) if case[1] != case[2]]
    assert len(EVERYDAY) > 120
    assert not other, "\n".join(map(str, other))


@pytest.mark.parametrize("what", [["app", "dept", "watched", "log"], ["other"]])
def test_a_dump_of_what_is_not_masked_is_the_servers(
    here: MysqlWorld, both: tuple[Asked, Asked], what: list[str]
) -> None:
    command = ["mariadb-dump", "--no-defaults", "--skip-ssl", "--skip-comments", "--no-tablespaces", "-h"]
    dumps = [
        run(*command, address(MASKED), "-P", str(PORT), "-u", "anybody", *what) for run in (here.governed, here.direct)
    ]
    assert [done.returncode for done in dumps] == [0, 0], dumps[0].stderr
    assert dumps[0].stdout == dumps[1].stdout
    assert "INSERT INTO" in dumps[0].stdout
