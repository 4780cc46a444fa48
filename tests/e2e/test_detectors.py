"""Detectors, end to end: what looks like a card number does not reach the client, and the event says how many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.world import World, target, world

DSN = "host=10.77.0.2 dbname=postgres user=trusting"
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "work", "actors": "*", "targets": "orders", "allow": {"kinds": ["read", "session"]}}],
    "detectors": [
        {"name": "cards", "targets": "orders", "detect": ["card", "private_key"], "then": "redact"},
        {"name": "tokens", "targets": "orders", "detect": "aws_access_key", "then": "observe"},
    ],
}  # fmt: skip
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(POLICY, workers=1) as made:
        made.postgres.sql(
            f"CREATE TABLE notes AS SELECT g AS id, 'paid by {CARD} on time ' || g AS note "
            "FROM generate_series(1, 300) g"
        )
        yield made


@pytest.mark.parametrize("text", ["SELECT note FROM notes ORDER BY id", "COPY (SELECT note FROM notes) TO STDOUT"])
def test_card_numbers_are_overwritten_and_nothing_else(here: World, text: str) -> None:
    done = here.psql(DSN, f"{text};")
    lines = done.stdout.splitlines()
    assert CARD not in done.stdout + done.stderr
    assert len(lines) == 300 and lines[0] == f"paid by {'*' * 16} on time 1"
    (event,) = here.decided(f"{text};")
    assert here.finished(event["unmapped"]["decision"])["unmapped"]["detected"] == {"card": 300}


def test_what_is_only_observed_passes_and_is_counted(here: World) -> None:
    text = "SELECT 'AKIA' || 'IOSFODNN7EXAMPLE';"
    assert here.psql(DSN, text).stdout.strip() == "AKIAIOSFODNN7EXAMPLE"
    (event,) = here.decided(text)
    assert here.finished(event["unmapped"]["decision"])["unmapped"]["detected"] == {"aws_access_key": 1}


def test_a_direct_connection_shows_what_was_there(here: World) -> None:
    assert CARD in here.psql(DSN, "SELECT note FROM notes LIMIT 1;", run=here.direct).stdout
