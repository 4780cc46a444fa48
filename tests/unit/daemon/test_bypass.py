"""Ways out, tried by a process that nobody governs: none of them may look like a refusal of ours."""

from __future__ import annotations

import pytest

from hostagent.daemon.bypass import ABSENT, ATTEMPTS, REFUSED, Attempt, attempt
from hostagent.daemon.canary import judge

ANSWER = "hostagent: intercepted"


@pytest.mark.parametrize("way", ATTEMPTS, ids=lambda way: way.id)
def test_an_ungoverned_process_is_neither_refused_nor_intercepted(way: Attempt) -> None:
    said = attempt(way, "127.0.0.1")
    assert said == ABSENT or not way.good(said, ANSWER)


@pytest.mark.parametrize("way", ATTEMPTS, ids=lambda way: way.id)
def test_only_what_must_happen_is_good(way: Attempt) -> None:
    assert way.good(REFUSED, ANSWER) is way.refused
    assert way.good(f"answer {ANSWER}", ANSWER) is not way.refused
    assert not way.good("sent", ANSWER)
    (finding,) = judge({"ways": {way.id: "sent"}}, ANSWER)
    assert (finding.number, finding.id, finding.good) == (way.number, way.id, False)
    assert "sent" in finding.evidence


def test_numbers_and_ids_are_each_their_own() -> None:
    assert len({way.number for way in ATTEMPTS}) == len({way.id for way in ATTEMPTS}) == len(ATTEMPTS)
    assert min(way.number for way in ATTEMPTS) == 50
