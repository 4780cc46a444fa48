"""Deadlines: arithmetic that must hold for every lifetime."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.credentials.timing import LAST_RETRY, NEVER, deadlines, retry_at

CHANCE = st.floats(0, 1, exclude_max=True)


def test_two_thirds_then_a_margin() -> None:
    found = deadlines(1000.0, 900.0, 0.0)
    assert (found.refresh, found.end) == (1600.0, 1895.0)


def test_a_short_lifetime_has_a_short_margin() -> None:
    found = deadlines(0.0, 3.0, 0.0)
    assert found.refresh == 2.0 and found.end == pytest.approx(2.7)


def test_chance_takes_up_to_a_tenth_off_the_wait() -> None:
    assert deadlines(0.0, 900.0, 0.5).refresh == pytest.approx(570.0)


def test_a_secret_without_end_is_never_refreshed() -> None:
    assert deadlines(5.0, None, 0.3) == NEVER


@pytest.mark.parametrize("lifetime", [0.0, -1.0, 0.5, math.inf, math.nan])
def test_a_lifetime_that_is_none(lifetime: float) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        deadlines(0.0, lifetime, 0.0)


@given(st.floats(0, 1e9), st.floats(1, 1e8), CHANCE)
def test_the_refresh_comes_before_the_end_and_both_before_the_sources_own(
    now: float, lifetime: float, chance: float
) -> None:
    found = deadlines(now, lifetime, chance)
    assert now < found.refresh < found.end < now + lifetime


@given(st.floats(0, 1e9), st.integers(1, 10_000), CHANCE)
def test_retries_come_later_and_later_but_not_too_late(now: float, failures: int, chance: float) -> None:
    found = retry_at(now, failures, chance)
    assert now < found <= now + LAST_RETRY


def test_retries_double() -> None:
    assert [retry_at(0.0, n, 0.0) for n in (1, 2, 3, 7, 50)] == [1.0, 2.0, 4.0, 60.0, 60.0]
