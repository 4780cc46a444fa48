"""Cancel keys: good in their scope, until their session or their worker is gone."""

from __future__ import annotations

import pytest

from hostagent.daemon import cancel_keys
from hostagent.daemon.cancel_keys import CancelKeys, Scope

HERE = Scope("10.0.0.5:5432", "/runner")


def test_a_key_is_found_in_its_scope_only() -> None:
    keys = CancelKeys()
    keys.keep("worker0", HERE, b"ours", b"theirs")
    assert keys.find(HERE, b"ours") == b"theirs"
    assert keys.find(Scope("10.0.0.6:5432", "/runner"), b"ours") is None
    assert keys.find(Scope("10.0.0.5:5432", "/other"), b"ours") is None
    assert keys.find(HERE, b"guessed") is None


def test_a_key_is_dropped_by_its_worker_only() -> None:
    keys = CancelKeys()
    keys.keep("worker0", HERE, b"ours", b"theirs")
    keys.drop("worker1", b"ours")
    assert len(keys) == 1
    keys.drop("worker0", b"ours")
    assert len(keys) == 0
    keys.drop("worker0", b"ours")


def test_keys_of_an_ended_worker_go_with_it() -> None:
    keys = CancelKeys()
    keys.keep("worker0", HERE, b"a", b"1")
    keys.keep("worker1", HERE, b"b", b"2")
    keys.drop_worker("worker0")
    assert keys.find(HERE, b"a") is None
    assert keys.find(HERE, b"b") == b"2"


def test_a_taken_key_and_a_full_table_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel_keys, "MAX_KEYS", 1)
    keys = CancelKeys()
    keys.keep("worker0", HERE, b"a", b"1")
    with pytest.raises(ValueError, match="taken"):
        keys.keep("worker1", HERE, b"a", b"2")
    with pytest.raises(ValueError, match="full"):
        keys.keep("worker1", HERE, b"b", b"2")
    assert keys.find(HERE, b"a") == b"1"
