"""The canary's judgement: only what is known to be right is good."""

from __future__ import annotations

import pytest

from hostagent.daemon.canary import attempt_all, destinations, judge

GOOD = {"tcp": "answer hostagent: intercepted", "udp": "refused", "raw": "refused"}
ANSWER = "hostagent: intercepted"


def test_a_governed_child_is_good_in_both_families() -> None:
    findings = judge({"IPv4": GOOD, "IPv6": GOOD}, ANSWER)
    assert len(findings) == 6
    assert all(finding.good for finding in findings)


@pytest.mark.parametrize(
    ("form", "seen"),
    [
        ("tcp", "answer SSH-2.0-OpenSSH_9.2"),
        ("tcp", "answer "),
        ("tcp", "no route"),
        ("tcp", "192.0.2.1: timed out"),
        ("udp", "sent"),
        ("udp", "[Errno 101] Network is unreachable"),
        ("raw", "opened"),
    ],
)
def test_anything_else_is_bad_and_says_what_was_seen(form: str, seen: str) -> None:
    (bad,) = [finding for finding in judge({"IPv4": {**GOOD, form: seen}}, ANSWER) if not finding.good]
    assert seen in bad.evidence


def test_the_destinations_are_a_pair_a_family() -> None:
    assert {address for address, _ in destinations()} == {"192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"}


def test_an_ungoverned_process_is_no_good_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hostagent.daemon.canary.REMOTE", {2: "127.0.0.1", 10: "::1"})
    report = attempt_all()
    assert "IPv4" in report
    assert not any(finding.good for finding in judge(report, ANSWER) if "TCP" in finding.name or "UDP" in finding.name)
