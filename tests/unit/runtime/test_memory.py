"""Remembered rulings: found under everything they depend on, and bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hostagent.runtime import memory
from hostagent.runtime.memory import Memory
from hostagent.values.decision import Ruling, Verdict

ALLOW = Ruling(Verdict.ALLOW, "r", "")


def test_a_ruling_is_found_in_its_scope_only() -> None:
    kept = Memory()
    agents, others = kept.scope(("agents", "orders")), kept.scope(("others", "orders"))
    kept.put(agents, "select 1", ALLOW)
    assert kept.get(kept.scope(("agents", "orders")), "select 1") is ALLOW
    assert kept.get(others, "select 1") is None
    assert kept.get(agents, "select 2") is None


def test_clear_forgets() -> None:
    kept = Memory()
    kept.put(1, "select 1", ALLOW)
    before = kept.scope("s")
    kept.clear()
    assert kept.get(1, "select 1") is None
    assert len(kept) == 0
    assert kept.scope("s") != before


def test_the_least_recently_used_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_ENTRIES", 2)
    kept = Memory()
    kept.put(1, "a", ALLOW)
    kept.put(1, "b", ALLOW)
    kept.get(1, "a")
    kept.put(1, "c", ALLOW)
    assert [kept.get(1, text) is ALLOW for text in "abc"] == [True, False, True]


def test_texts_are_bounded_together_and_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_CHARACTERS", 10)
    kept = Memory()
    kept.put(1, "x" * 6, ALLOW)
    kept.put(1, "y" * 6, ALLOW)
    assert kept.get(1, "x" * 6) is None
    assert kept.get(1, "y" * 6) is ALLOW
    kept.put(1, "z" * (memory.MAX_TEXT + 1), ALLOW)
    assert len(kept) == 1


@pytest.mark.parametrize("sent", [{"rewritten": "r" * 6}, {"pieces": ("r" * 3, "s" * 3)}])
def test_what_is_sent_in_their_place_counts_too(monkeypatch: pytest.MonkeyPatch, sent: dict[str, Any]) -> None:
    monkeypatch.setattr(memory, "MAX_CHARACTERS", 12)
    kept, masked = Memory(), replace(ALLOW, **sent)
    kept.put(1, "xx", masked)  # 8
    kept.put(1, "yyyy", ALLOW)  # 12
    assert kept.get(1, "yyyy") is ALLOW and kept.get(1, "xx") is masked
    kept.get(1, "yyyy")
    kept.put(1, "z", ALLOW)  # 13, so the oldest goes, and with it 8
    assert kept.get(1, "xx") is None
    kept.put(1, "w" * 7, ALLOW)
    assert [kept.get(1, text) is ALLOW for text in ("yyyy", "z", "w" * 7)] == [True, True, True]
