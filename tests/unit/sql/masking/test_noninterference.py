"""Two databases that differ in masked values only must give the same answer to whatever is sent; or nothing is sent."""

from __future__ import annotations

import pytest

from hostagent.sql.masking.values import Unsafe
from tests.unit.sql.masking.world import SECRETS, Answer, Case, Session, cases


def run(case: Case, sessions: tuple[Session, ...], *, binary: bool) -> tuple[str, list[list[Answer]]]:
    """What became of a case (deny, fail or run), and for each text that was sent the answers of all sessions."""
    for session in sessions:
        session.reset(begin=not case.texts[0].startswith(("BEGIN", "SET ")))
    outcomes, answers = set(), []
    for text in case.texts:
        result = sessions[0].rewrite(text)
        if isinstance(result, Unsafe):
            assert result.reason
            outcomes.add("deny")
            continue
        answers.append([session.send(result.text, binary=binary) for session in sessions])
        outcomes.add("fail" if answers[-1][0].states else "run")
    return min(outcomes), answers


@pytest.mark.parametrize("case", cases("evasions.sql"), ids=lambda case: case.name)
def test_two_databases_cannot_be_told_apart(case: Case, one: Session, other: Session) -> None:
    modes = [False] if any(";" in text.strip(";") for text in case.texts) else [False, True]
    for binary in modes:  # the extended protocol takes one statement
        outcome, answers = run(case, (one, other), binary=binary)
        assert outcome == case.expected
        for ours, theirs in answers:
            assert ours == theirs
            assert not any(secret in repr(ours).encode() for secret in SECRETS)


@pytest.mark.parametrize("relation", ["users", "payments", "people", 'app."Odd ""Name"', "v_users", "mv_users"])
def test_without_masks_they_can(relation: str, one: Session, other: Session) -> None:
    for session in (one, other):
        session.reset(begin=False)
    direct = [session.send(f"SELECT * FROM {relation} ORDER BY 1") for session in (one, other)]
    assert direct[0] != direct[1]
    assert all(any(secret in repr(answer).encode() for secret in SECRETS) for answer in direct)


def test_a_view_is_masked_by_the_search_path_of_the_session_that_reads_it(one: Session) -> None:
    one.reset(begin=True)
    for path in ("app, public", "other, app", "public"):
        one.send(f"SET search_path = {path}")
        result = one.rewrite("SELECT s FROM app.v_users")
        assert not isinstance(result, Unsafe), result
        assert result.masked == ("app.v_users.c", "app.v_users.s")
