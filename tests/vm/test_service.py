"""The package on a real host: the service under systemd, its checks from inside, and its end by force."""

from __future__ import annotations

import pytest

from tests.vm.lab import DATABASE, DIRECT_PORT, REFUSED, ROOT, SLOW
from tests.vm.machine import Machine

ATTEMPT = f"python3 -I /usr/local/lib/vm/direct.py {DATABASE} {DIRECT_PORT}"
GOVERNED = "systemd-run --quiet --pipe --wait --collect --slice=governed.slice"


def property_of(machine: Machine, name: str) -> str:
    """A property of the daemon's unit."""
    return machine.check("systemctl", "show", "--value", "-p", name, "hostagentd.service").strip()


def test_systemd_was_told_that_it_is_ready(runner: Machine) -> None:
    assert property_of(runner, "Type") == "notify"
    assert property_of(runner, "ActiveState") == "active"
    assert "ready" in runner.check("hostagent", "status")


def test_the_doctor_finds_nothing_wrong(runner: Machine) -> None:
    runner.check("hostagent", "doctor", timeout=SLOW)


def test_governed_and_not_governed(runner: Machine) -> None:
    assert runner.shell(ATTEMPT).strip() == "direct"
    assert runner.shell(f"{GOVERNED} {ATTEMPT}").strip() in REFUSED


def test_killed_it_refuses_and_comes_back(runner: Machine) -> None:
    before = int(property_of(runner, "NRestarts"))
    # the next start is held until we have looked
    runner.shell("mkdir -p /run/systemd/system/hostagentd.service.d")
    runner.put("[Service]\nRestartSec=20\n", "/run/systemd/system/hostagentd.service.d/late.conf")
    runner.shell("systemctl daemon-reload; systemctl kill --kill-whom=all --signal=KILL hostagentd.service")
    seen = {runner.shell(f"{GOVERNED} {ATTEMPT}", timeout=SLOW).strip() for _ in range(3)}
    assert seen <= REFUSED, seen
    assert runner.shell(ATTEMPT).strip() == "direct"
    runner.shell("rm /run/systemd/system/hostagentd.service.d/late.conf; systemctl daemon-reload")
    runner.eventually("systemctl is-active --quiet hostagentd.service", within=SLOW)
    assert int(property_of(runner, "NRestarts")) > before
    psql = f"psql -h {DATABASE} -U anybody -d app -Atc 'select owner from accounts where id = 1'"
    assert runner.shell(f"{GOVERNED} --setenv=PGPASSWORD=no {psql}", timeout=SLOW).strip() == "ada"


@pytest.mark.parametrize("line", ["not ok", "ok"])
def test_the_checks_that_vagrant_runs(runner: Machine, checks: str, line: str) -> None:
    lines = [each for each in checks.splitlines() if each.startswith(f"{line} ")]
    assert lines if line == "ok" else not lines, checks


@pytest.fixture(scope="module")
def checks(runner: Machine) -> str:
    """What `vagrant/check.sh` says."""
    runner.put(ROOT / "vagrant" / "check.sh", "/root/check.sh")
    return runner.run("sh", "/root/check.sh", DATABASE, timeout=2 * SLOW).out
