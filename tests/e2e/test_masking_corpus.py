"""The corpora of masking through the daemon: what its session does besides rewriting counts too, nothing is set aside.

The statements and the two databases: tests/corpus/twins.py, tests/corpus/masking.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.corpus import twins
from tests.corpus.everyday_runs import in_policy
from tests.corpus.twins import Found, Twins, Verdict
from tests.e2e.test_everyday import governed
from tests.e2e.world import World, target, world
from tests.lab.parity import Case, Direct, Way
from tests.lab.wire import Mode, Server, message

pytestmark = pytest.mark.timeout(600)  # the fixtures ask a whole corpus

SYNC = message("S", b"")


# Allows what can be allowed: what is refused is refused because of masks.
TWINS_POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{
        "name": "anything", "actors": "*", "targets": "orders",
        "allow": {"kinds": "any", "functions": "*", "settings": "*"},
    }],
    "masks": in_policy(twins.MASKS),
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(TWINS_POLICY) as made:
        made.postgres.sql("ALTER ROLE trusting NOSUPERUSER")
        yield made


@pytest.fixture(scope="module")
def pair(here: World) -> Iterator[Twins]:
    made = Twins(here.postgres, lambda name: governed(here, name))
    yield made
    made.close()


@pytest.fixture(scope="module")
def found(pair: Twins) -> list[Found]:
    """Every third trial of each class, in the mode whose turn it is; all of them where the corpus is asked for in full.

    All are asked by tests/corpus/test_noninterference.py, with nothing but the rewriting between client and server.
    """
    seen: Counter[str] = Counter()
    answers: list[Found] = []
    for number, trial in enumerate(twins.trials()):
        if twins.FULL:
            answers += pair.run(trial, trial.modes)
        elif seen[trial.group] % 3 == 0:
            answers += pair.run(trial, (trial.modes[number % len(trial.modes)],))
        seen[trial.group] += 1
    return answers


def test_no_answer_tells_the_databases_apart(found: list[Found]) -> None:
    telling = [f for f in found if f.verdict is not Verdict.SAME]
    assert not telling, "\n".join(map(str, telling))


def test_most_questions_are_answered(found: list[Found]) -> None:
    for group in twins.ANSWERED:
        of_group = [f for f in found if f.trial.group == group]
        assert sum(bool(f.refused) for f in of_group) < len(of_group) * twins.MIGHT_BE_REFUSED, group


def _parse(name: bytes, text: bytes) -> bytes:
    return message("P", name + b"\0" + text + b"\0\0\0")


def _bind(portal: bytes, statement: bytes, binary: bool = False) -> bytes:
    formats = struct.pack("!hh", 1, 1) if binary else struct.pack("!h", 0)
    return message("B", portal + b"\0" + statement + b"\0" + struct.pack("!hh", 0, 0) + formats)


def _execute(portal: bytes, rows: int = 0) -> bytes:
    return message("E", portal + b"\0" + struct.pack("!i", rows))


SECRETS = b"SELECT id, ssn, pin FROM app.users ORDER BY id"
CONVERSATIONS: dict[str, list[bytes | str]] = {
    "a prepared name means another relation later": [
        "SET search_path TO app, public",
        _parse(b"s", b"SELECT ssn FROM users") + SYNC,
        "CREATE TEMP TABLE users AS SELECT 'mine' AS ssn",
        _bind(b"", b"s") + _execute(b"") + SYNC,
    ],
    "a statement is executed without being described": [
        _parse(b"s", SECRETS) + SYNC, _bind(b"", b"s", binary=True) + _execute(b"") + SYNC,
    ],
    "a portal is described and read in parts": [
        _parse(b"", SECRETS) + _bind(b"p", b"") + message("D", b"Pp\0") + _execute(b"p", 2) + _execute(b"p", 3) + SYNC,
    ],
    "what is refused stands in a pipeline": [
        _parse(b"", SECRETS) + _bind(b"", b"") + _execute(b"")
        + _parse(b"", b"SELECT app.ssn_of(1)") + _bind(b"", b"") + _execute(b"") + SYNC,
        "SELECT 'goes on'",
    ],
    "a column is added behind a prepared statement": [
        _parse(b"s", b"SELECT * FROM app.users ORDER BY id") + SYNC,
        "ALTER TABLE app.orders ADD COLUMN more int",
        _bind(b"", b"s") + _execute(b"") + SYNC,
    ],
    "the type of a parameter is left open": [
        _parse(b"s", b"SELECT id FROM app.users WHERE ssn = $1") + message("D", b"Ss\0") + SYNC,
    ],
}  # fmt: skip


def _talk(way: Way, steps: list[bytes | str]) -> list[twins.Message]:
    cases = (Case("", "", raw=s) if isinstance(s, bytes) else Case("", s) for s in steps)
    return twins.normal([m for case in cases for m in way.ask(case)])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_no_conversation_tells_them_apart(here: World, pair: Twins, name: str) -> None:
    answers = []
    for database in pair.names:
        way = governed(here, database)
        answers.append(_talk(way, CONVERSATIONS[name]))
        way.close()
    assert answers[0] == answers[1]


def test_a_function_called_by_its_number_does_not_either(here: World, pair: Twins) -> None:
    oid = int(here.postgres.sql("SELECT 'app.ssn_of(int)'::regprocedure::oid", pair.names[0]))
    call = message("F", struct.pack("!IhhhiIh", oid, 1, 1, 1, 4, 1, 1))
    answers, bare = [], []
    for database in pair.names:
        for ways, way in ((answers, governed(here, database)), (bare, Direct(twins.server(here.postgres, database)))):
            ways.append(_talk(way, [call]))
            way.close()
    assert answers[0] == answers[1]
    assert bare[0] != bare[1]


def test_generated_queries_do_not_either(pair: Twins) -> None:
    twins.ask_generated(pair, lambda verdict: verdict is Verdict.SAME)


def test_the_way_to_a_twin_is_the_daemon(here: World, pair: Twins) -> None:
    """The check can fail: without the daemon the same question tells the databases apart."""
    bare = [Direct(Server(str(here.postgres.directory), here.postgres.port, "trusting", name)) for name in pair.names]
    first, second = (way.ask(Case("", SECRETS.decode(), Mode.SIMPLE)) for way in bare)
    for way in bare:
        way.close()
    assert first != second
