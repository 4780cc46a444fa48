"""No window at boot: a governed unit that connects from its first instruction on reaches no server unseen.

The unit starts before everything that is not needed to start it; the server on the database host answers before that.
Its twin, the same unit not governed, shows that the server could be reached all along; the server counts both.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.vm import lab
from tests.vm.lab import DATABASE, DIRECT_PORT
from tests.vm.machine import Machine

LOG = "/run/{}.log"
LOOP = f"/usr/bin/python3 -I /usr/local/lib/vm/loop_connect.py {DATABASE} {DIRECT_PORT} {LOG} 0 0.1"
EARLY = f"""\
[Unit]
DefaultDependencies=no
After=db-early.service

[Service]
ExecStart={LOOP}

[Install]
WantedBy=sysinit.target
"""
# how a governed unit is tied to the daemon, as the documents say
IN_SLICE = "[Service]\nSlice=governed.slice\n"
EXAMPLE = "/usr/share/doc/hostagent/examples/governed-where-it-is.conf"
UNITS = {"early-twin": "", "early-sliced": IN_SLICE, "early-governed": None}


@pytest.fixture(scope="module")
def early(runner: Machine) -> Machine:
    """The runner host with the early units, enabled."""
    for name, drop_in in UNITS.items():
        runner.put(EARLY.format(name), f"/etc/systemd/system/{name}.service")
        if drop_in:
            runner.put(drop_in, f"/etc/systemd/system/{name}.service.d/hostagent.conf")
    runner.shell(f"cd /etc/systemd/system; mkdir -p early-governed.service.d; cp {EXAMPLE} early-governed.service.d/")
    runner.check("systemctl", "enable", *UNITS)
    return runner


@pytest.mark.parametrize("how", ["reboot", "power cut"])
def test_after_a_boot_nobody_governed_was_served_unseen(early: Machine, how: str) -> None:
    early.reset() if how == "power cut" else early.reboot()
    lab.up(early)
    early.eventually("grep -qv begin /run/early-sliced.log && grep -qv begin /run/early-governed.log", within=lab.SLOW)
    early.check("systemctl", "stop", *UNITS)
    twin, governed = outcomes(early, "early-twin"), outcomes(early, "early-sliced") + outcomes(early, "early-governed")
    assert twin["direct"] > 0
    assert governed["direct"] == 0, governed
    assert governed.total() > 0
    assert served(early) == twin["direct"]
    taken = sum(count for verdict, count in governed.items() if verdict.startswith(("silent", "other")))
    assert flows(early) >= taken
    assert early.run("hostagent", "audit", "verify", timeout=lab.SLOW).status == 0


def test_with_a_daemon_that_fails_governed_units_do_not_connect(early: Machine) -> None:
    early.shell("cp -p /etc/hostagent/hostagent.yaml /root/; echo 'nonsense: 1' >>/etc/hostagent/hostagent.yaml")
    early.reboot()
    early.eventually("systemctl show -p NRestarts --value hostagentd.service | grep -qv '^0$'", within=lab.SLOW)
    twin, governed = outcomes(early, "early-twin"), outcomes(early, "early-sliced") + outcomes(early, "early-governed")
    assert twin["direct"] > 0
    assert governed["direct"] == 0, governed
    early.shell("cp -p /root/hostagent.yaml /etc/hostagent/; systemctl disable " + " ".join(UNITS))
    early.reboot()
    lab.up(early)


def outcomes(machine: Machine, unit: str) -> Counter[str]:
    """What came of the unit's connections since the boot."""
    lines = machine.run("cat", LOG.format(unit)).out.splitlines()
    return Counter(line.split()[1] for line in lines if line.split()[1] != "begin")


def served(machine: Machine) -> int:
    """How many connections the server has taken since the boot."""
    return len(machine.check("cat", "/run/early-server.log").splitlines())


def flows(machine: Machine) -> int:
    """How many flows to the server there are events of."""
    lines = machine.check("hostagent", "events", "-o", "json", "-n", "100000", timeout=lab.SLOW).splitlines()
    events = [json.loads(line) for line in lines]
    mine = [event for event in events if event.get("dst_endpoint", {}).get("port") == DIRECT_PORT]
    return len([event for event in mine if event["metadata"]["event_code"] in ("flow_opened", "flow_refused")])
