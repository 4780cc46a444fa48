"""What is exposed: from a service with some history; and that rules and dashboard ask for nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hostagent.daemon.counts import WORDS, Counts, WorkerCounts
from hostagent.daemon.metrics import Metrics
from hostagent.daemon.metrics_text import text
from hostagent.policy.fields import Mode
from hostagent.policy.yaml import parse
from tests.lab.openmetrics import Samples, read

MONITORING = Path(__file__).parents[3] / "docs" / "monitoring"
ORDERS = (("target", "orders"), ("protocol", "postgres"))
_METRIC = re.compile(r"hostagent_[a-z_]+")


@pytest.fixture
def service(tmp_path: Path) -> Any:
    async def stats() -> None:
        """Nothing new."""

    target = SimpleNamespace(name="orders", protocol="postgres")
    current = SimpleNamespace(targets=[target], rules=[1, 2], mode=Mode.ENFORCE, version="v1")
    counts = Counts(refused=Counter(connect_udp=2), events=Counter(drift=1), record_failures=Counter(event=1))
    keeper = SimpleNamespace(name="worker0", child=object(), restarts=1)
    return SimpleNamespace(
        pool=SimpleNamespace(stats=stats, counted=WorkerCounts(), workers=[keeper], analyzers=[]),
        policies=SimpleNamespace(current=current, loaded_at=1.0, error=""),
        counts=counts,
        governing=SimpleNamespace(hooks=SimpleNamespace(counters=lambda: {"create_protocol": 1})),
        approvals=SimpleNamespace(now=time.time, queue=SimpleNamespace(waiting=list, grants=lambda _: [])),
        config=SimpleNamespace(state_directory=tmp_path),
        state="ready", started=time.time(), checkpointed_at=time.time(),
    )  # fmt: skip


def exposed(service: Any) -> Samples:
    return read(text(asyncio.run(Metrics(service).collect()), openmetrics=True), openmetrics=True)[1]


def everything(service: Any) -> Samples:
    """With a sample of all that a worker can count."""
    rows = [[what, "orders", word, 1] for what, words in WORDS.items() for word in words]
    service.pool.counted.told("worker0", {"hits": 1, "counted": rows})
    return exposed(service)


def test_allows_are_what_no_other_verdict_is(service: Any) -> None:
    rows = [["decided", "orders", "", 10], ["verdicts", "orders", "deny", 3], ["verdicts", "orders", "observe", 2]]
    service.pool.counted.told("worker0", {"counted": rows})
    found = exposed(service)["hostagent_decisions_total"]
    assert found == {
        (*ORDERS, ("verdict", "allow")): 5, (*ORDERS, ("verdict", "deny")): 3, (*ORDERS, ("verdict", "observe")): 2,
    }  # fmt: skip


def test_a_target_that_no_policy_has_is_left_out_and_one_that_had_been_stays(service: Any) -> None:
    rows = [["verdicts", name, "deny", 1] for name in ("orders", "'; DROP TABLE", "")]
    service.pool.counted.told("worker0", {"counted": rows})
    metrics = Metrics(service)
    asyncio.run(metrics.collect())
    service.policies.current.targets = []
    found = read(text(asyncio.run(metrics.collect()), openmetrics=True), openmetrics=True)[1]
    assert {dict(labels)["target"] for labels in found["hostagent_decisions_total"]} == {"orders", ""}


def test_the_histogram_is_of_seconds_and_adds_up(service: Any) -> None:
    service.pool.counted.told(
        "worker0",
        {"counted": [["analysis", "", "0", 2], ["analysis", "", "10", 1], ["analysis_us", "", "", 7_000_000]]},
    )
    found = exposed(service)
    buckets = found["hostagent_decision_analysis_seconds_bucket"]
    assert buckets[(("le", "0.00025"),)] == 2
    assert buckets[(("le", "+Inf"),)] == found["hostagent_decision_analysis_seconds_count"][()] == 3
    assert found["hostagent_decision_analysis_seconds_sum"][()] == 7


def test_the_sizes_of_records_are_summed(service: Any, tmp_path: Path) -> None:
    for name, size in (("records/journal/host-000001.ndjson", 7), ("records/sessions/2026-01-01/f.rec", 5)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(bytes(size))
    found = exposed(service)["hostagent_records_bytes"]
    assert found == {(("kind", "journal"),): 7, (("kind", "sessions"),): 5}


def expressions() -> list[str]:
    rules = parse((MONITORING / "alerts.yaml").read_text(), "alerts.yaml")[0]
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]  # type: ignore[index,call-overload]
    return [*found, *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])]


def test_every_metric_and_label_that_rules_and_dashboard_name_is_exposed(service: Any) -> None:
    found = everything(service)
    labels = {name: {label for row in rows for label, _ in row} for name, rows in found.items()}
    for expression in expressions():
        names = _METRIC.findall(expression)
        assert set(names) <= set(found), expression
        known = {"instance", "job"}.union(*(labels[name] for name in names))
        asked = {word for group in re.findall(r"by \(([a-z_, ]+)\)", expression) for word in group.split(", ")}
        asked |= set(re.findall(r"([a-z_]+)=~?\"", expression))
        assert asked <= known, expression
        for label, value in re.findall(r"([a-z_]+)=\"([a-z_]+)\"", expression):
            assert label == "job" or any((label, value) in row for name in names for row in found[name]), expression


def test_every_rule_says_what_is_wrong_and_where_to_look() -> None:
    rules: Any = parse((MONITORING / "alerts.yaml").read_text(), "alerts.yaml")[0]
    named = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in named}) == len(named)
    assert all(rule["annotations"]["summary"] and rule["annotations"]["runbook"] for rule in named)
    assert all(rule["labels"]["severity"] in ("critical", "warning", "info") for rule in named)
