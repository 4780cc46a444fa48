"""The panel of `hostagent status`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hostagent.cli import status
from hostagent.cli.main import main


def answer(**changes: Any) -> dict[str, Any]:
    return {
        "state": "ready",
        "version": "0.1.0",
        "instance": "hostagent",
        "pid": 4711,
        "uptime_seconds": 93784.0,
        "policy": {"version": "abc123", "rules": 4, "directory": "/etc/hostagent/policies.d", "error": ""},
        "governed": {"patterns": ["/runner.slice"], "cgroups": [f"/runner.slice/job-{n}" for n in range(11)]},
        "workers": [{"name": "worker0", "pid": 4712, "restarts": 0, "error": ""}],
        "analyzers": [{"name": "analyzer0", "pid": 0, "restarts": 2, "error": "ended with status -9"}],
        "flows": {"open": 3, "accepted": 10},
        "requests": {"decisions": 99, "misses": 5},
        "counters": {"denied_udp": 2, "denied_raw": 0},
        "refused": {},
        "swept": 1,
        "drift": {"count": 0, "last": ""},
        "last_error": "",
        **changes,
    }


def shown(**changes: Any) -> dict[str, str]:
    return dict(status.facts(answer(**changes)))


def test_all_is_well() -> None:
    facts = shown()
    assert facts["state"] == "ready, for 1 d 2 h"
    assert facts["policy"] == "abc123, 4 rules from /etc/hostagent/policies.d"
    assert facts["workers"] == "worker0: pid 4712"
    assert facts["flows"] == "open 3, accepted 10"
    assert facts["kernel"] == "denied udp 2"
    assert facts["drift"] == "none"
    assert "last error" not in facts
    assert "policy error" not in facts


def test_what_is_wrong_is_shown() -> None:
    wrong = {"version": "abc123", "rules": 4, "directory": "/p", "error": "/p/a.yaml:3:1: unknown key `x`"}
    facts = shown(drift={"count": 2, "last": "ip rule"}, last_error="worker0 ended", policy=wrong)
    assert facts["analyzers"] == "analyzer0: down, 2 restarts, ended with status -9"
    assert facts["drift"] == "2 times, last ip rule"
    assert "a.yaml:3:1" in facts["policy error"]
    assert facts["last error"] == "worker0 ended"


def test_long_lists_are_cut_and_say_so() -> None:
    lines = shown()["cgroups"].splitlines()
    assert lines[0] == "11 governed now"
    assert lines[-1] == "… 3 more (-o json)"


@pytest.mark.parametrize(("state", "code"), [("ready", 0), ("draining", 1)])
def test_the_exit_code_says_whether_all_is_in_force(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "call", lambda *_: answer(state=state))
    assert main(["status"]) == code
    assert state in capsys.readouterr().out
    assert main(["status", "-o", "json"]) == code
    assert json.loads(capsys.readouterr().out)["state"] == state
