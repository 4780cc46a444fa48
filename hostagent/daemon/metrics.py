"""Metrics: what the service counts, as families of samples. Collected when somebody asks, and costing nothing before.

Rule: a label's value comes from our code (verdicts, forms, child names) or from policy files (target names), never from
a peer or a process: what a worker says of a target that no policy of this daemon's life had is left out.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hostagent
from hostagent.daemon.counts import Key
from hostagent.daemon.metrics_text import Family, Kind, Labels, Sample, histogram
from hostagent.policy.fields import Mode
from hostagent.recording.directory import Directory
from hostagent.runtime.counted import BUCKETS_US

if TYPE_CHECKING:
    from hostagent.daemon.service import Service

COUNTER, GAUGE = Kind.COUNTER, Kind.GAUGE
SIZE_SECONDS = 60.0  # how old the sizes of the records may be: there can be many files
_OF_TARGETS = {  # what workers count by target: metric, name of the label that its word is, help
    "openings": ("flows", "outcome", "Flows by how their opening came out."),
    "verdicts": ("decisions", "verdict", "Decisions; a held request counts as approve and as what came of it."),
    "denials": ("denials", "reason", "Denials by what denied: a rule, no rule, a human, a limit, or no understanding."),
    "bytes": ("bytes", "leg", "Bytes that the client and the upstream leg of flows sent; of running flows so far."),
    "upstream_failures": ("upstream_failures", "kind", "Flows that ended because their upstream failed."),
}


class Metrics:
    """The metrics of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._protocols: dict[str, str] = {}
        self._sizes = (0.0, 0, 0)

    async def collect(self) -> list[Family]:
        """All families now."""
        service = self._service
        await service.pool.stats()
        self._protocols |= {target.name: target.protocol for target in service.policies.current.targets}
        if time.monotonic() - self._sizes[0] >= SIZE_SECONDS or not self._sizes[0]:
            sizes = await asyncio.to_thread(_sizes, Directory(service.config.state_directory))
            self._sizes = (time.monotonic(), *sizes)
        counted = service.pool.counted.total()
        return [
            *self._service_families(),
            *self._policy_families(),
            *self._child_families(),
            *self._worker_families(counted),
            *self._kernel_families(),
            *self._approval_families(),
            *self._record_families(counted),
        ]

    def _service_families(self) -> Iterator[Family]:
        service = self._service
        yield _one("build_info", GAUGE, "The version that runs.", 1, (("version", hostagent.__version__),))
        yield _one("ready", GAUGE, "1 when everything is in force.", service.state == "ready")
        yield _one("start_time_seconds", GAUGE, "When the daemon started, since the epoch.", service.started)
        yield _by("host_events", COUNTER, "Events of the host itself by their word.", "kind", service.counts.events)

    def _policy_families(self) -> Iterator[Family]:
        policies = self._service.policies
        loaded = "When the policy in force was loaded, since the epoch."
        yield _one("policy_loaded_timestamp_seconds", GAUGE, loaded, policies.loaded_at)
        yield _one("policy_rules", GAUGE, "Rules of the policy in force.", len(policies.current.rules))
        enforcing = policies.current.mode is Mode.ENFORCE
        yield _one("policy_enforcing", GAUGE, "1 in mode enforce, 0 in observe.", enforcing)
        refused = "1 when the last reload was refused: the files are not what is in force."
        yield _one("policy_refused", GAUGE, refused, bool(policies.error))

    def _child_families(self) -> Iterator[Family]:
        keepers = [*self._service.pool.workers, *self._service.pool.analyzers]
        up = {keeper.name: int(keeper.child is not None) for keeper in keepers}
        yield _by("child_up", GAUGE, "1 while that worker or analyzer runs.", "child", up)
        restarts = {keeper.name: keeper.restarts for keeper in keepers}
        yield _by("child_restarts", COUNTER, "How often it was started again.", "child", restarts)

    def _worker_families(self, counted: Counter[Key]) -> Iterator[Family]:
        verdicts = _allowed(counted)
        for what, (name, label, text) in _OF_TARGETS.items():
            rows = verdicts if what == "verdicts" else counted
            yield Family(f"hostagent_{name}", COUNTER, text, tuple(self._of_targets(rows, what, label)))
        now: Counter[Key] = Counter({("open", target, ""): counted["open", target, ""] for target in self._protocols})
        opened = tuple(self._of_targets(now, "open", ""))
        yield Family("hostagent_sessions_open", GAUGE, "Flows that are open now.", opened)
        hits = {"hit": counted["hits", "", ""], "miss": counted["misses", "", ""]}
        yield _by("lookups", COUNTER, "Requests whose ruling was remembered (hit) or analyzed.", "result", hits)
        buckets = [counted["analysis", "", str(place)] for place in range(len(BUCKETS_US) + 1)]
        text = "From a request whose ruling was not remembered to its decision. Remembered ones take microseconds."
        bounds = [bound / 1e6 for bound in BUCKETS_US]
        total = counted["analysis_us", "", ""] / 1e6
        yield histogram("hostagent_decision_analysis_seconds", text, bounds, buckets, total)

    def _of_targets(self, rows: Counter[Key], what: str, label: str) -> Iterator[Sample]:
        for (counted, target, word), count in sorted(rows.items()):
            protocol = self._protocols.get(target, "")
            if counted == what and (protocol or not target):
                labels: Labels = (("target", target), ("protocol", protocol))
                yield Sample(count, (*labels, (label, word)) if label else labels)

    def _kernel_families(self) -> Iterator[Family]:
        counts, hooks = self._service.counts, self._service.governing.hooks
        yield _by("refused", COUNTER, "Attempts that the hooks refused, by form.", "reason", counts.refused)
        yield _by("kernel_events", COUNTER, "Counters of the programs in the kernel.", "counter", hooks.counters())
        drift = "Times that a hook, rule or route was found changed, and put back."
        yield _one("drift", COUNTER, drift, counts.drift)
        yield _one("swept", COUNTER, "Connections ended that were open before they were governed.", counts.swept)

    def _approval_families(self) -> Iterator[Family]:
        approvals = self._service.approvals
        queue = approvals.queue
        yield _one("approvals_waiting", GAUGE, "Requests that wait for a human.", len(queue.waiting()))
        grants = len(queue.grants(approvals.now()))
        yield _one("grants", GAUGE, "Windows of time in which requests run without asking.", grants)

    def _record_families(self, counted: Counter[Key]) -> Iterator[Family]:
        service = self._service
        _, journal, sessions = self._sizes
        sizes = {"journal": journal, "sessions": sessions}
        yield _by("records_bytes", GAUGE, "Size of what is recorded.", "kind", sizes)
        yield _one("records_free_bytes", GAUGE, "Room on its file system.", _free(service.config.state_directory))
        unrecorded = "Requests denied because their decision could not be recorded."
        yield _one("requests_unrecorded", COUNTER, unrecorded, counted["unrecorded", "", ""])
        lost = "Outcomes of requests that were dropped while they could not be recorded."
        yield _one("outcomes_lost", COUNTER, lost, counted["lost", "", ""])
        failures = {kind: service.counts.record_failures[kind] for kind in ("event", "checkpoint", "retention")}
        text = "Host events not written, checkpoints not signed, retention not done."
        yield _by("record_failures", COUNTER, text, "kind", failures)
        signed = "When the records were last looked through and signed, since the epoch."
        yield _one("checkpoint_timestamp_seconds", GAUGE, signed, service.checkpointed_at)


def _one(name: str, kind: Kind, text: str, value: float, labels: Labels = ()) -> Family:
    return Family(f"hostagent_{name}", kind, text, (Sample(value, labels),))


def _by(name: str, kind: Kind, text: str, label: str, values: dict[str, int]) -> Family:
    samples = tuple(Sample(value, ((label, word),)) for word, value in sorted(values.items()))
    return Family(f"hostagent_{name}", kind, text, samples)


def _allowed(counted: Counter[Key]) -> Counter[Key]:
    """Decisions by verdict: workers count them all, and by verdict those that are no allow."""
    rows: Counter[Key] = Counter()
    others: Counter[str] = Counter()
    for (what, target, word), count in counted.items():
        if what == "verdicts":
            rows[what, target, word] = count
            others[target] += count
    for (what, target, _), count in counted.items():
        if what == "decided":
            rows["verdicts", target, "allow"] = max(0, count - others[target])
    return rows


def _sizes(directory: Directory) -> tuple[int, int]:
    """Bytes of the journals and of the session recordings."""
    return _sum(directory.journal.glob("*.ndjson")), _sum(directory.sessions.glob("*/*.rec"))


def _sum(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # retention was faster
            continue
    return total


def _free(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
