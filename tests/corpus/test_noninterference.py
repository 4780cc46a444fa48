"""Two databases that differ only in masked values answer alike, whatever is asked of them.

Here the statement is rewritten and sent by the test itself. What a session does besides (errors rebuilt, messages that
are no statements) is for tests/e2e/test_masking_corpus.py. HOSTAGENT_CORPUS=full asks every case in every mode, and
more generated statements; without it every class is asked in every mode, the cases of a class taking turns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.corpus import twins
from tests.corpus.generated import queries
from tests.corpus.twins import MASKS, Found, Twins, Verdict
from tests.lab.parity import Direct, Rewriting, refusal
from tests.lab.postgres import Postgres
from tests.lab.wire import Mode

pytestmark = pytest.mark.timeout(600)  # the fixtures ask a whole corpus

# Errors that show a row, notices that name the database: same SQLSTATE, other words. Only what rebuilds them protects.
ONLY_SECOND_LOCK = {("UPDATE app.users SET pin = -5 WHERE id = 1",), ("VACUUM (VERBOSE, ANALYZE) app.users",)}
# Roles without privilege are refused by the server, in the same words: nothing here tells the twins apart unmasked.
NEVER_DIFFER = {"foreign"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres((), tls=False)  # reached by its unix socket alone
    server.start()
    try:
        server.sql(f"CREATE ROLE {twins.USER} LOGIN")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def masked(postgres: Postgres) -> Iterator[Twins]:
    pair = Twins(postgres, lambda name: Rewriting(twins.server(postgres, name), MASKS))
    yield pair
    pair.close()


@pytest.fixture(scope="module")
def found(masked: Twins) -> list[Found]:
    return [f for number, trial in enumerate(twins.trials()) for f in masked.run(trial, twins.turns(trial, number))]


def test_the_corpus_is_there(found: list[Found], capsys: pytest.CaptureFixture[str]) -> None:
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    for f in found:
        classes[f.trial.group]["refused" if f.refused else f.verdict.value] += 1
    with capsys.disabled():
        print(f"\n{len(twins.trials())} cases, asked {len(found)} times of both databases")
        for group, counts in classes.items():
            print(f"{group:>20}: {', '.join(f'{n} {what}' for what, n in counts.items())}")
    assert len(twins.trials()) >= 200
    for group in classes:
        asked = {f.mode for f in found if f.trial.group == group}
        assert asked >= {mode for t in twins.trials() if t.group == group for mode in t.modes} or len(asked) >= 3


def test_no_answer_tells_the_databases_apart(found: list[Found]) -> None:
    leaks = [f for f in found if f.verdict is Verdict.LEAK]
    assert not leaks, "\n".join(map(str, leaks))


def test_no_answer_holds_the_key(found: list[Found]) -> None:
    assert MASKS.key == bytes(32), "the marks below are those of this key"
    telling = [
        f for f in found if any(mark in m.body for answer in f.answers for m in answer for mark in twins.KEY_MARKS)
    ]
    assert not telling, "\n".join(map(str, telling))


def test_what_only_rebuilt_errors_protect_is_known(found: list[Found]) -> None:
    assert {f.trial.steps for f in found if f.verdict is Verdict.SECOND_LOCK} == ONLY_SECOND_LOCK


def test_most_questions_are_answered(found: list[Found]) -> None:
    """Masking that refuses everything would tell nothing either: what a rewrite can make safe is answered."""
    for group in twins.ANSWERED:
        of_group = [f for f in found if f.trial.group == group]
        assert sum(bool(f.refused) for f in of_group) < len(of_group) * twins.MIGHT_BE_REFUSED, group


def test_without_masks_every_class_tells_them_apart(postgres: Postgres) -> None:
    pair = Twins(postgres, lambda name: Direct(twins.server(postgres, name)), prefix="bare")
    differ = Counter[str]()
    try:
        for trial in twins.trials():
            if not differ[trial.group]:
                differ[trial.group] += any(f.verdict is not Verdict.SAME for f in pair.run(trial, trial.modes[:1]))
    finally:
        pair.close()
    assert {group for group, count in differ.items() if not count} == NEVER_DIFFER


def test_generated_queries_do_not_either(masked: Twins) -> None:
    twins.ask_generated(masked, lambda verdict: verdict is not Verdict.LEAK)


def test_generated_queries_are_answered_and_would_tell(masked: Twins, postgres: Postgres) -> None:
    bare = [Direct(twins.server(postgres, name)) for name in masked.names]
    seen = Counter[str]()

    @settings(max_examples=twins.GENERATED // 3, deadline=None, derandomize=True, database=None)
    @given(query=queries())
    def count(query: str) -> None:
        first, second = (twins.normal(way.ask(twins.Case("", query))) for way in bare)
        seen["different"] += twins.judge(first, second) is not Verdict.SAME
        seen["refused"] += bool(refusal(masked.ask(query, Mode.SIMPLE)[0]))
        seen["all"] += 1

    count()
    for way in bare:
        way.close()
    assert seen["different"] > seen["all"] // 4
    assert seen["refused"] < seen["all"] // 3
