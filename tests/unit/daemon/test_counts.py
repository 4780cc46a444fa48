"""What workers say that they counted: added up over their lives, and only as far as it is of the known form."""

from __future__ import annotations

import pytest

from hostagent.daemon.counts import MAX_TARGET, Counts, WorkerCounts
from hostagent.runtime.counted import BUCKETS_US


def test_workers_are_added_up_and_what_a_dead_one_said_stays_counted() -> None:
    counts = WorkerCounts()
    counts.told("worker0", {"hits": 3, "counted": [["verdicts", "orders", "deny", 2], ["open", "orders", "", 1]]})
    counts.told("worker1", {"hits": 1, "counted": [["verdicts", "orders", "deny", 1], ["open", "orders", "", 1]]})
    counts.ended("worker0")
    counts.told("worker0", {"hits": 1, "counted": [["verdicts", "orders", "deny", 1]]})
    counts.told(
        "worker0", {"hits": 2, "counted": [["verdicts", "orders", "deny", 1]]}
    )  # its whole word, not more of it
    total = counts.total()
    assert (total["verdicts", "orders", "deny"], total["hits", "", ""], total["open", "orders", ""]) == (4, 6, 1)


@pytest.mark.parametrize(
    "row",
    [
        ["verdicts", "orders", "SELECT secret FROM t", 1],
        ["anything", "orders", "", 1],
        ["verdicts", "orders", "deny", "1"],
        ["verdicts", "orders", "deny"],
        "verdicts",
        7,
    ],
)
def test_what_is_of_another_form_is_dropped(row: object) -> None:
    counts = WorkerCounts()
    counts.told("worker0", {"hits": "many", "counted": [row, ["verdicts", "x" * 10_000, "deny", 1]]})
    assert counts.total() == {("verdicts", "x" * MAX_TARGET, "deny"): 1}


def test_every_bucket_is_known() -> None:
    counts = WorkerCounts()
    counts.told("worker0", {"counted": [["analysis", "", str(place), 1] for place in range(len(BUCKETS_US) + 2)]})
    assert counts.total().total() == len(BUCKETS_US) + 1


def test_a_failure_of_records_is_counted_and_the_last_one_remembered() -> None:
    counts = Counts()
    counts.record_failed("event", "no room")
    assert counts.record_failures == {"event": 1}
    assert counts.last_error.endswith(" no room")
