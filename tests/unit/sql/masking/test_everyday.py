"""Ordinary statements on relations without masks: sent rewritten, they answer exactly as they do direct."""

from __future__ import annotations

import pytest

from hostagent.sql.masking.values import Rewritten
from tests.unit.sql.masking.world import Case, Session, cases


@pytest.mark.parametrize("case", cases("everyday.sql"), ids=lambda case: case.name)
def test_the_answer_is_the_same(case: Case, one: Session) -> None:
    (text,) = case.texts
    result = one.reset(begin=False).rewrite(text)
    assert isinstance(result, Rewritten), result
    assert result.masked == ()
    begin = not text.startswith("BEGIN")
    direct = one.reset(begin=begin).send(text)
    assert one.reset(begin=begin).send(result.text) == direct
    assert bool(direct.states) == (case.expected == "fail")
