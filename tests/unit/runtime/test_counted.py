"""What a worker counts, by target and word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hostagent.daemon.counts import WORDS
from hostagent.runtime.counted import BUCKETS_US, Counted
from hostagent.runtime.flow import Flow
from hostagent.runtime.reach import upstream_failure, why_lost
from hostagent.values.decision import Ruling, Verdict

POLICY: Any = SimpleNamespace(
    rules=[SimpleNamespace(name="no-drops", effect="deny"), SimpleNamespace(name="ask", effect="approve")],
    limits=[SimpleNamespace(name="slowly")],
)


def flow(decided: int, target: str = "orders", context: object = "open") -> Flow:
    standing = SimpleNamespace(decided=decided, context=context)
    bytes_from = {"client": 10 * decided, "upstream": 1}
    return cast(Flow, SimpleNamespace(standing=standing, target_name=target, bytes_from=bytes_from))


def denial(rule: str, *kinds: str) -> Ruling:
    return Ruling(Verdict.DENY, rule, "why", kinds)


@pytest.mark.parametrize(
    ("ruling", "word"),
    [
        (denial("no-drops", "drop"), "rule"),
        (denial("of an older policy", "drop"), "rule"),
        (denial("ask", "drop"), "approval"),
        (denial("slowly", "select"), "limit"),
        (denial("", "select"), "no_rule"),
        (denial(""), "not_understood"),
    ],
)
def test_a_denial_is_counted_by_what_denied(ruling: Ruling, word: str) -> None:
    counted = Counted(POLICY)
    counted.exception("orders", ruling)
    assert sorted(counted.rows([])) == [("denials", "orders", word, 1), ("verdicts", "orders", "deny", 1)]


def test_flows_count_for_themselves_while_they_run_and_after() -> None:
    counted = Counted(POLICY)
    counted.flow_ended(flow(3))
    rows = counted.rows([flow(2), flow(7, target="other"), flow(9, context=None)])
    assert ("decided", "orders", "", 5) in rows
    assert ("bytes", "orders", "client", 50) in rows
    assert ("decided", "other", "", 7) in rows
    assert ("open", "orders", "", 1) in rows
    assert not any(count == 9 for *_, count in rows)  # it is not open yet
    assert ("decided", "orders", "", 3) in counted.rows([])


def test_an_analysis_falls_into_its_bucket() -> None:
    counted = Counted(POLICY)
    for microseconds in (1, BUCKETS_US[0], BUCKETS_US[0] + 1, 10 * BUCKETS_US[-1]):
        counted.analyzed(microseconds * 1000)
    rows = counted.rows([])
    buckets = {int(word): count for what, _, word, count in rows if what == "analysis"}
    assert buckets == {0: 2, 1: 1, len(BUCKETS_US): 1}
    assert ("analysis_us", "", "", sum((1, 250, 251, 50_000_000))) in rows


def test_the_supervisor_takes_every_word() -> None:
    counted = Counted(POLICY)
    for verdict in (Verdict.DENY, Verdict.APPROVE, Verdict.OBSERVE):
        counted.exception("orders", Ruling(verdict, "", ""))
    counted.analyzed(1)
    counted.flow("orders", "opened")
    counted.upstream_failed("orders", "tls")
    assert all(word in WORDS[what] for what, _, word, _ in counted.rows([flow(1)]))


def test_what_failed_of_an_upstream_is_known_by_why_the_flow_ended() -> None:
    assert upstream_failure("the upstream 10.0.0.5:5432 cannot be reached: refused") == "connect"
    assert upstream_failure("TLS to target orders is not possible: no such file") == "tls"
    assert upstream_failure(why_lost(OSError())) == "lost"
    assert upstream_failure("upstream leg: [Errno 104] reset") == "lost"
    assert not upstream_failure("the client left")
    assert not upstream_failure("")
