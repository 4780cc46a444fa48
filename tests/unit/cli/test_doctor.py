"""`hostagent doctor`: the daemon's checks, or the host's alone and one failure more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hostagent.cli import doctor
from hostagent.cli.control_client import Unreachable
from hostagent.cli.main import main
from hostagent.kernel.probe import Check, Status


def check(number: int, status: str) -> dict[str, Any]:
    return {
        "number": number,
        "id": f"a.{number}",
        "name": f"check {number}",
        "status": status,
        "evidence": "seen",
        "fix": "mend",
    }


@pytest.mark.parametrize(("statuses", "code"), [(("PASS", "WARN"), 0), (("PASS", "FAIL"), 1)])
def test_the_daemon_s_checks(
    statuses: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [check(number, status) for number, status in enumerate(statuses, 1)]
    monkeypatch.setattr(doctor, "call", lambda *_: {"checks": checks})
    assert main(["doctor"]) == code
    out = capsys.readouterr().out
    assert out.splitlines()[1].split() == ["1", "PASS", "check", "1", "seen", "mend"]
    assert f"1 {statuses[1]}" in out.splitlines()[-1]
    assert main(["doctor", "-o", "json"]) == code
    printed = json.loads(capsys.readouterr().out)
    assert printed["checks"] == checks
    assert sum(printed["results"].values()) == len(checks)
    assert set(printed["results"]) == {"PASS", "WARN", "FAIL"}


def test_without_a_daemon_the_host_is_checked_and_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*_: object) -> dict[str, Any]:
        raise Unreachable("no daemon answers", "start it")

    monkeypatch.setattr(doctor, "call", call)
    monkeypatch.setattr(doctor, "probe", lambda: [Check(3, "host.cgroup2", "cgroup v2", Status.PASS, "mounted", "")])
    assert main(["doctor", "-o", "json"]) == 1
    first, last = json.loads(capsys.readouterr().out)["checks"]
    assert (first["name"], first["status"]) == ("cgroup v2", "PASS")
    assert (last["number"], last["id"], last["status"], last["fix"]) == (20, "daemon.answers", "FAIL", "start it")
