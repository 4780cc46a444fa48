"""From whatever a process is started, it is governed, and its events name what it was started from.

Each kind of process runs the same program (`guest/root/usr/local/lib/vm/client.sh`): PostgreSQL, MariaDB and SSH with a
login that is good for nothing, an allowed and a denied request each, and a connection to a server that nobody allows.
Its twin, of the same kind but not governed, is refused by the servers themselves and reads the server's own line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.vm.lab import REFUSED, SLOW
from tests.vm.machine import Machine

CLIENT = "bash /usr/local/lib/vm/client.sh"
SSH = "ssh -i /root/.ssh/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR"
CONTAINER = "podman run --rm --rootfs"
Said = dict[str, str]


def by(machine: Machine, command: str) -> Said:
    """What the client said that a shell command starts."""
    done = machine.run("bash", "-c", command, timeout=SLOW)
    said = dict(line.partition(": ")[::2] for line in done.out.split("\n") if ": " in line)
    assert said.get("done") == "yes", f"{done}\n{machine.run('journalctl', '--no-pager', '-n', '20').out}"
    return said


def by_cron(machine: Machine, command: str) -> Said:
    """The same, started by cron at its next minute."""
    output = "/run/by-cron"
    machine.put(f"* * * * * root [ -e {output} ] || {command} >{output} 2>&1\n", "/etc/cron.d/vm-client")
    machine.check("rm", "-f", output)
    try:
        machine.eventually(f"grep -q '^done: yes' {output}", within=SLOW)
    finally:
        machine.check("rm", "-f", "/etc/cron.d/vm-client")
    return by(machine, f"cat {output}")


GOVERNED: dict[str, tuple[Callable[[Machine, str], Said], str, dict[str, str]]] = {
    "unit": (
        by, "systemd-run --quiet --pipe --wait --collect --slice=governed.slice --unit=nightly {}",
        {"unit": "nightly.service"},
    ),
    "ssh-session": (by, SSH + " dev@127.0.0.1 {}", {"login_session": "*", "owner_uid": "1000"}),
    "su-session": (by, "su -l dev -c '{}'", {"login_session": "*", "owner_uid": "1000"}),
    "cron": (by_cron, "{}", {"unit": "cron.service"}),
    "systemd-run-user": (
        by, "systemd-run --quiet --user -M dev@ --pipe --wait --collect --slice=agents.slice --unit=agent7 {}",
        {"user_unit": "agent7.service", "owner_uid": "1000"},
    ),
    "podman": (by, CONTAINER + " /:O {}", {"container_runtime": "podman", "container_id": "*"}),
}  # fmt: skip
TWINS = {
    "unit": "systemd-run --quiet --pipe --wait --collect --slice=system.slice --unit=bystander {}",
    "ssh-session": SSH + " ops@127.0.0.1 {}",
    "su-session": "su -l ops -c '{}'",
    "systemd-run-user": "systemd-run --quiet --user -M dev@ --pipe --wait --collect --slice=app.slice {}",
    "podman": "podman run --rm --cgroup-parent=bystanders.slice --rootfs /:O {}",
}


@pytest.mark.parametrize("kind", GOVERNED)
def test_a_governed_process_is_enforced_and_named(runner: Machine, kind: str) -> None:
    how, command, expected = GOVERNED[kind]
    mark = f"governed-{kind}"
    said = how(runner, command.format(f"{CLIENT} {mark}"))
    assert said["postgres-select"].strip() == f"ada|{mark}", said
    assert "denied by policy" in said["postgres-drop"], said
    assert said["mariadb-select"].split() == ["grace", mark], said
    assert "denied by policy" in said["mariadb-drop"], said
    assert said["ssh-allowed"].strip().endswith("deploy"), said
    assert "hostagent: no rule allows" in said["ssh-denied"], said
    assert said["direct"].strip() in REFUSED, said
    for attributes in attributes_of(runner, mark):
        for name, value in expected.items():
            assert name in attributes, attributes
            assert value in ("*", attributes[name]["value"]), attributes
            assert attributes[name]["grade"] == ("claimed" if name.startswith("user_") else "runtime-attested"), (
                attributes
            )


@pytest.mark.parametrize("kind", TWINS)
def test_its_twin_is_left_alone(runner: Machine, kind: str) -> None:
    mark = f"bystander-{kind}"
    said = by(runner, TWINS[kind].format(f"{CLIENT} {mark}"))
    assert "no pg_hba.conf entry for host" in said["postgres-select"], said
    assert "Access denied for user 'anybody'" in said["mariadb-drop"], said
    assert "Permission denied" in said["ssh-denied"], said
    assert said["direct"].strip() == "direct", said
    assert not decided(runner, mark)


def attributes_of(machine: Machine, mark: str) -> list[dict[str, Any]]:
    """The actor's attributes in the decisions that tell of the mark, as a statement or in the command line of the
    client: one that was allowed and one that was denied, of each of three protocols."""
    events = decided(machine, mark)
    assert [event["action_id"] for event in events] == [1, 2] * 3, events
    return [event["unmapped"]["attributes"] for event in events]


def decided(machine: Machine, mark: str) -> list[dict[str, Any]]:
    """The decisions about statements that carry the mark."""
    lines = machine.check("hostagent", "events", "-o", "json", "-n", "2000", timeout=SLOW).splitlines()
    events = [json.loads(line) for line in lines if mark in line]
    return [event for event in events if event["metadata"]["event_code"] == "decided"]
