"""Remembered rulings: found under everything they depend on, and bounded."""

from __future__ import annotations

import pytest

from hostagent.runtime import memory
from hostagent.runtime.memory import Memory
from hostagent.values.decision import Ruling, Verdict

ALLOW = Ruling(Verdict.ALLOW, "r", "")


def test_a_ruling_is_found_in_its_scope_only() -> None:
    kept = Memory()
    kept.put(("agents", "orders"), "select 1", ALLOW)
    assert kept.get(("agents", "orders"), "select 1") is ALLOW
    assert kept.get(("others", "orders"), "select 1") is None
    assert kept.get(("agents", "orders"), "select 2") is None


def test_clear_forgets() -> None:
    kept = Memory()
    kept.put("s", "select 1", ALLOW)
    kept.clear()
    assert kept.get("s", "select 1") is None
    assert len(kept) == 0


def test_the_least_recently_used_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_ENTRIES", 2)
    kept = Memory()
    kept.put("s", "a", ALLOW)
    kept.put("s", "b", ALLOW)
    kept.get("s", "a")
    kept.put("s", "c", ALLOW)
    assert [kept.get("s", text) is ALLOW for text in "abc"] == [True, False, True]


def test_texts_are_bounded_together_and_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_CHARACTERS", 10)
    kept = Memory()
    kept.put("s", "x" * 6, ALLOW)
    kept.put("s", "y" * 6, ALLOW)
    assert kept.get("s", "x" * 6) is None
    assert kept.get("s", "y" * 6) is ALLOW
    kept.put("s", "z" * (memory.MAX_TEXT + 1), ALLOW)
    assert len(kept) == 1
