"""Counted: what one worker has counted since it started, for metrics. The supervisor fetches it now and then.

Rules: an ordinary decision costs the increment of a number that its flow keeps (`Standing.decided`); only what is rare
(a decision other than allow, an analysis, an opening, an end) is looked up here. Words come from this code and from
policy files, never from a peer; the supervisor checks them all the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hostagent.policy.model import Policy
from hostagent.values.decision import Ruling, Verdict

if TYPE_CHECKING:
    from hostagent.runtime.flow import Flow

BUCKETS_US = (250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 5_000_000)  # the last: the deadline

Row = tuple[str, str, str, int]  # what is counted, target, word, how often


class Counted:
    """The counters of one worker, by what they count, target name (empty for none) and a word."""

    def __init__(self, policy: Policy) -> None:
        self._of: Counter[tuple[str, str, str]] = Counter()
        self._classes: dict[str, str] = {}
        self.replace_policy(policy)

    def replace_policy(self, policy: Policy) -> None:
        """What the names in rulings stand for from now on."""
        self._classes = {rule.name: "approval" if rule.effect == "approve" else "rule" for rule in policy.rules}
        self._classes |= {limit.name: "limit" for limit in policy.limits}

    def exception(self, target: str, ruling: Ruling) -> None:
        """A decision other than allow."""
        self._of["verdicts", target, ruling.verdict.value] += 1
        if ruling.verdict is Verdict.DENY:
            self._of["denials", target, self._class(ruling)] += 1

    def analyzed(self, nanoseconds: int) -> None:
        """An analysis, and what masking asked the server for it, took so long."""
        place = bisect_left(BUCKETS_US, nanoseconds // 1000)
        self._of["analysis", "", str(place)] += 1
        self._of["analysis_us", "", ""] += nanoseconds // 1000

    def flow(self, target: str, outcome: str) -> None:
        """How the opening of a flow came out: opened, no_target, no_credential, unattributed or unrecorded."""
        self._of["openings", target, outcome] += 1

    def upstream_failed(self, target: str, how: str) -> None:
        """An upstream could not be used: connect, tls, or lost in the middle."""
        self._of["upstream_failures", target, how] += 1

    def flow_ended(self, flow: Flow) -> None:
        """An open flow ended: keep what it counted itself."""
        self._of.update({(what, target, word): count for what, target, word, count in _own(flow)})

    def rows(self, flows: Iterable[Flow]) -> list[Row]:
        """All of it, with what the flows that still run have counted."""
        total = self._of.copy()
        running: Counter[str] = Counter()
        for flow in flows:
            if flow.standing.context is None:
                continue
            running[flow.target_name] += 1
            for what, target, word, count in _own(flow):
                total[what, target, word] += count
        rows = [(*key, count) for key, count in total.items() if count]
        return [*rows, *(("open", target, "", count) for target, count in running.items())]

    def _class(self, ruling: Ruling) -> str:
        if ruling.rule:
            return self._classes.get(ruling.rule, "rule")
        return "no_rule" if ruling.kinds else "not_understood"


def _own(flow: Flow) -> list[Row]:
    """What a flow counts itself; `decided` are all its decisions, whatever their verdict."""
    target = flow.target_name
    rows = [("decided", target, "", flow.standing.decided)]
    return [*rows, *(("bytes", target, str(leg), count) for leg, count in flow.bytes_from.items())]
