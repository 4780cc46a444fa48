"""What a host goes through in its life: sleep, a clock that is set, a full disk, an upgrade under load.

The server's own log is the reference: each statement that it saw of a governed process has its decision among our
events, and nobody governed ever reached it past the proxy (their login is good for nothing there).
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm import lab, witness
from tests.vm.lab import DATABASE, SLOW
from tests.vm.machine import Machine

HERE = Path(__file__).parent
IN = (
    "systemd-run --quiet --pipe --wait --collect --slice=governed.slice"
    " --setenv=PGPASSWORD=no --setenv=PGCONNECT_TIMEOUT=120"
)
PSQL = f"psql --no-psqlrc -q -At -h {DATABASE} -U anybody -d app"
SERVER_LOG = "/var/log/postgresql/postgresql-15-main.log"
RECORDS = "/var/lib/hostagent/records"
DISK = "24m"
HOUR = 3600
POLICY = """\
version: 1
rules:
  - name: endurance-asks
    actors: "*"
    targets: lab-postgres
    approve: {kinds: delete, relations: public.accounts, expires: 30m, approvers: {users: root}}
"""
LOADS = ("short", "short", "short", "long", "long")
STATEMENT = re.compile(r"(?:statement|execute [^:]*): select '(load-\d-\d+)'")
# what a governed client may be told while there is no daemon, or the session's has gone
REFUSALS = ("refused", "closed", "terminat", "timeout", "timed out", "hostagent", "reset by peer", "connection abort")


def asked(machine: Machine, statement: str, **environment: str) -> str:
    """What a governed psql says to a statement, errors and all."""
    given = " ".join(f"--setenv={name}={value}" for name, value in environment.items())
    done = machine.run("bash", "-c", f'{IN} {given} {PSQL} -c "$0" 2>&1', statement, timeout=SLOW)
    return done.out.strip()


def served(machine: Machine, mark: str) -> None:
    """A governed statement with that mark is answered, and its decision recorded."""
    assert asked(machine, f"select '{mark}'") == mark
    assert mark in decided(machine)


def decided(machine: Machine) -> dict[str, dict[str, Any]]:
    """The decisions: by mark where a statement selects one, else by the statement."""
    found = {}
    for event in witness.events(machine):
        if event["metadata"]["event_code"] == "decided":
            text = event["query_info"]["query_string"].strip()
            mark = re.fullmatch(r"select '([a-z0-9-]+)';?", text)
            found[mark[1] if mark else text] = event
    return found


def intact(machine: Machine) -> bool:
    """Whether the record is whole."""
    return machine.run("hostagent", "audit", "verify", timeout=SLOW).status == 0


def main_pid(machine: Machine) -> str:
    """The daemon's."""
    return machine.check("systemctl", "show", "--value", "-p", "MainPID", "hostagentd.service").strip()


def sleep_and_wake(machine: Machine) -> None:
    """ACPI S3 as `systemctl suspend` enters it, left after some seconds by us, or before by an interrupt."""
    slept = "dmesg | grep -c 'PM: suspend exit' || true"
    before = int(machine.shell(slept))
    machine.shell("systemd-run -q --no-block systemctl suspend")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if machine.qmp("query-status")["status"] == "suspended":
            time.sleep(5)
            machine.qmp("system_wakeup")
            break
        time.sleep(0.1)
    assert int(machine.shell(slept)) > before, machine.tail(20)


@pytest.fixture(scope="module")
def host(runner: Machine) -> Iterator[Machine]:
    """The runner host, with a rule that asks a human."""
    runner.put(POLICY, "/etc/hostagent/policies.d/endurance.yaml", mode="640")
    runner.put(HERE / "load.sh", "/root/load.sh")
    runner.check("hostagent", "policy", "reload", timeout=SLOW)
    yield runner
    runner.shell("rm /etc/hostagent/policies.d/endurance.yaml; hostagent policy reload", timeout=SLOW)


@contextlib.contextmanager
def loads(machine: Machine) -> Iterator[None]:
    """Governed programs that ask, one a unit; ended at the end."""
    machine.shell("rm -f /run/load.*")
    for number, kind in enumerate(LOADS):
        machine.shell(
            f"systemd-run -q --unit=load-{number} --slice=governed.slice bash /root/load.sh {kind} {number} {DATABASE}"
        )
    try:
        yield
    finally:
        machine.shell("touch /run/load.stop")
        machine.eventually("! systemctl is-active -q 'load-*'", within=SLOW)


def answers(machine: Machine) -> dict[str, tuple[int, str]]:
    """What the loads were told: mark → status of the client, words."""
    found = {}
    for line in machine.shell("cat /run/load.[0-9]").splitlines():
        mark, status, words = (*line.split(" ", 2), "")[:3]
        found[mark] = (int(status), words)
    return found


def answered(machine: Machine, more: int, within: float = SLOW) -> None:
    """Wait until every load has had that many more answers."""
    before = {n: int(machine.shell(f"cat /run/load.{n} 2>/dev/null | wc -l")) for n in range(len(LOADS))}
    for number, count in before.items():
        machine.eventually(f"test $(cat /run/load.{number} | wc -l) -ge {count + more}", within=within)


def test_suspended_to_ram_and_woken(host: Machine) -> None:
    """Sessions that were open go on."""
    daemon = main_pid(host)
    with loads(host):
        answered(host, 1)
        sleep_and_wake(host)
        answered(host, 2)
    served(host, "after-sleep")
    assert main_pid(host) == daemon
    assert all(status == 0 and words == mark for mark, (status, words) in answers(host).items()), answers(host)
    assert intact(host)


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forwards", "backwards"])
def test_the_clock_is_set_by_an_hour(host: Machine, by: int) -> None:
    """What waits for a human waits on, certificates hold, and events carry the time of the host's clock."""
    mark = f"clock-{'plus' if by > 0 else 'minus'}"
    began, up = (float(word) for word in host.shell("date +%s.%N; cut -d' ' -f1 /proc/uptime").split())
    statement = f"delete from accounts where id = {by}"
    host.shell(
        f'systemd-run -q --unit={mark} --uid=dev --slice=governed.slice --setenv=PGPASSWORD=no {PSQL} -c "{statement}"'
    )
    try:
        request = host.eventually(
            'hostagent approvals -o json | grep -o \'"id": *"[^"]*"\' | cut -d\'"\' -f4', within=SLOW
        )
        host.shell(f"date -s @{began + by:.0f}")
        served(host, mark)
        event = decided(host)[mark]
        assert abs(event["time"] / 1000 - began - by) < 1200
        trusted = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/var/lib/hostagent/ca/ca.pem"}
        assert asked(host, f"select '{mark}-tls'", **trusted) == f"{mark}-tls"
        host.check("hostagent", "approvals", "approve", request["id"], "--reason", "it still waits", timeout=SLOW)
        host.eventually(f"! systemctl is-active -q {mark}", within=SLOW)
        assert decided(host)[statement]["unmapped"]["verdict"] == "approve"
        assert host.run("systemctl", "is-failed", "-q", f"{mark}.service").status != 0
    finally:
        host.shell(f"date -s @$(awk '{{print int({began} + $1 - {up})}}' /proc/uptime)")
    served(host, f"{mark}-back")
    assert intact(host)


def test_the_disk_of_the_records_is_full(host: Machine) -> None:
    """Nothing goes on unrecorded; the same statement is answered before and after."""
    host.shell(
        "systemctl stop hostagentd.service; mount -t tmpfs "
        f"-o size={DISK},mode=2750,uid=$(id -u hostagent-worker),gid=$(getent group hostagent | cut -d: -f3) "
        f"records {RECORDS}; systemctl start hostagentd.service",
        timeout=SLOW,
    )
    try:
        served(host, "disk-before")
        host.run("dd", "if=/dev/zero", f"of={RECORDS}/filler", "bs=4k")
        # the journal holds some room in reserve: one session uses it up
        many = "".join(f"select 'full-{n}-' || repeat('x', 3000), '{'x' * 3000}';" for n in range(400))
        host.put(many.replace(";", ";\n"), "/root/many.sql")
        said = host.run("bash", "-c", f"{IN} {PSQL} < /root/many.sql 2>&1 | cut -c 1-200", timeout=SLOW).out
        assert "could not be recorded" in said or "closed the connection" in said, said[-2000:]
        refused = asked(host, "select 'disk-full'")
        assert refused != "disk-full"
        assert "disk-full" not in host.shell(f"cat {SERVER_LOG}"), refused
        direct = host.shell(f"PGPASSWORD=app psql -h {DATABASE} -U app -d app -Atc 'select 1'")
        assert direct == "1\n", "who is not governed notices nothing"
        host.check("rm", f"{RECORDS}/filler")
        host.eventually(f"{IN} {PSQL} -c \"select 'disk-after'\" | grep -x disk-after", within=SLOW)
        logged = set(re.findall(r"select 'full-(\d+)-", host.shell(f'grep -o "select \'full-[0-9]*-" {SERVER_LOG}')))
        recorded = {n for text in decided(host) for n in re.findall(r"^select 'full-(\d+)-", text)}
        assert logged <= recorded, sorted(logged - recorded)
        assert intact(host)
    finally:
        host.shell(
            f"systemctl stop hostagentd.service; umount {RECORDS}; systemctl start hostagentd.service", timeout=SLOW
        )
    served(host, "disk-back")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package under test again, as a version that is higher."""
    tree, made = tmp_path_factory.mktemp("newer") / "tree", tmp_path_factory.mktemp("newer") / "newer.deb"
    subprocess.run(["dpkg-deb", "-R", lab.package(), tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+newer1", control.read_text()))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, made], check=True, capture_output=True
    )
    return made


def test_upgraded_under_load_nobody_is_let_past_and_no_event_is_lost(host: Machine, newer: Path) -> None:
    host.put(newer, "/root/newer.deb")
    host.shell(f"truncate -c -s 0 {SERVER_LOG}")
    configured = host.shell("sha256sum /etc/hostagent/hostagent.yaml /etc/hostagent/policies.d/*")
    daemon = main_pid(host)
    with loads(host):
        answered(host, 2)
        before = set(answers(host))
        host.shell(
            "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends /root/newer.deb", timeout=SLOW
        )
        host.eventually("systemctl is-active -q hostagentd.service", within=SLOW)
        answered(host, 2)
    assert main_pid(host) != daemon
    assert "+newer1" in host.shell("dpkg-query -W -f '${Version}' hostagent")
    assert host.shell("sha256sum /etc/hostagent/hostagent.yaml /etc/hostagent/policies.d/*") == configured
    told, log, events = answers(host), host.shell(f"cat {SERVER_LOG}"), decided(host)
    yes = {mark for mark, (status, words) in told.items() if status == 0 and words == mark}
    reached = set(STATEMENT.findall(log))
    print(json.dumps({"asked": len(told), "answered": len(yes), "reached": len(reached), "before": len(before)}))
    assert yes & before, "served before"
    assert yes - before, "and after"
    assert yes <= reached <= set(events), "each statement that the server saw has its decision"
    assert "anybody" not in log, "nobody came past the proxy"
    others = {mark: told[mark] for mark in told.keys() - yes}
    assert all(any(word in words for word in REFUSALS) for _, words in others.values()), others
    assert intact(host)
