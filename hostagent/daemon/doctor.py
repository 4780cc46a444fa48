"""`doctor`, the daemon's half: what it governs with, records to and is trusted by, and what real flows show.

The host's own checks are `kernel.probe`'s, numbers 1 to 19. Here: 20 to 39 the service, 40 to 49 what is in force, 50
and up the ways out. Numbers and ids stay what they are; a check looks and changes nothing (40 mends what it finds).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hostagent
from hostagent.errors import HostError
from hostagent.kernel.hooks import PINS
from hostagent.kernel.probe import Check, Finding, Status, probe
from hostagent.pki.system_store import bundle, holds
from hostagent.policy.lint import warnings
from hostagent.policy.locate import place_of
from hostagent.recording.chain import Head, is_torn_record, read_link
from hostagent.recording.directory import Directory, journal_files

if TYPE_CHECKING:
    from hostagent.daemon.service import Service

LOW_BYTES, LEAST_BYTES = 2 << 30, 256 << 20  # free where records go: look at it, or do it now
TAIL_BYTES = 1 << 20  # of the newest file of each chain
CHECKPOINT_SECONDS = 120.0  # records are signed every ten seconds
UNIT_SECONDS = 5.0
SYSTEMD = Path("/run/systemd/system")
INTERFACES = Path("/sys/class/net")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_LOG = "see `hostagent status` and the daemon's log (journalctl -u hostagentd)"


async def examine(service: Service) -> list[Check]:
    """All checks, in the order of their numbers."""
    checks = await asyncio.to_thread(probe)  # pyroute2 runs a loop of its own
    for number, name_id, name, look in CHECKS:
        checks.append(Check(number, name_id, name, *await asyncio.to_thread(look, service)))
    return [*checks, *await _flown(service)]


def answers(service: Service) -> Finding:
    """Always so when it is asked; without a daemon the command says FAIL."""
    lived = int(time.time() - service.started)
    return Status.PASS, f"version {hostagent.__version__}, pid {os.getpid()}, {service.state} for {lived} s", ""


def children(service: Service) -> Finding:
    """Workers and analyzers."""
    keepers = [*service.pool.workers, *service.pool.analyzers]
    down = [keeper.name for keeper in keepers if keeper.child is None]
    if down:
        return Status.FAIL, f"down: {', '.join(down)}", _LOG
    if restarted := [f"{keeper.name} {keeper.restarts} times" for keeper in keepers if keeper.restarts]:
        return Status.WARN, f"started again: {', '.join(restarted)}", _LOG
    return Status.PASS, f"{len(keepers)} run", ""


def unit(service: Service) -> Finding:  # noqa: ARG001
    """Whether systemd started it, and will again at boot."""
    if "INVOCATION_ID" not in os.environ or not SYSTEMD.is_dir():
        fix = "run it as the unit: systemctl enable --now hostagentd"
        return Status.WARN, "not started by systemd: nothing starts it again", fix
    done = subprocess.run(
        ["systemctl", "is-enabled", "hostagentd.service"],
        capture_output=True, text=True, timeout=UNIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = done.stdout.strip() or done.stderr.strip() or "no answer"
    if said.startswith("enabled"):
        return Status.PASS, f"hostagentd.service is {said}", ""
    return Status.WARN, f"hostagentd.service is {said}: a boot comes up ungoverned", "systemctl enable hostagentd"


def pins(service: Service) -> Finding:
    """What keeps the hooks in force when the daemon is gone; and what another instance left."""
    own = PINS / service.config.instance
    if not own.is_dir():
        return Status.FAIL, f"{own} is not there: the hooks end with the daemon", "restart the daemon"
    if others := sorted(path.name for path in PINS.iterdir() if path.name != service.config.instance):
        fix = "if none of them runs: hostagentd --config FILE teardown, with the file of that instance"
        return Status.WARN, f"other instances have hooks here: {', '.join(others)}", fix
    return Status.PASS, f"{sum(1 for _ in own.rglob('*'))} pins in {own}", ""


def policy(service: Service) -> Finding:
    """Whether what is in force is what the files say, and whether it enforces."""
    policies = service.policies
    said = f"policy {policies.current.version}, mode {policies.current.mode}, {len(policies.current.rules)} rules"
    if policies.error:
        return Status.FAIL, f"the last reload was refused: {policies.error}", "mend it: hostagent policy check"
    return Status.PASS, said, ""


def lint(service: Service) -> Finding:
    """What is right in the policy and still may not be meant."""
    policies = service.policies
    found = [f"{place_of(policies.directory, 'rules', rule)}: {text}" for rule, text in warnings(policies.current)]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return Status.WARN, found[0] + more, "hostagent policy check says all of them"
    return Status.PASS, "nothing to say", ""


def space(service: Service) -> Finding:
    """Room for records: without it everything is denied."""
    status = os.statvfs(service.config.state_directory)
    free = status.f_bavail * status.f_frsize
    said = f"{free >> 20} MiB free for {service.config.state_directory}"
    fix = "free space there, or lower retention.max_bytes in hostagent.yaml"
    if free < LEAST_BYTES:
        return Status.FAIL, said, fix
    return (Status.WARN, said, fix) if free < LOW_BYTES else (Status.PASS, said, "")


def chain(service: Service) -> Finding:
    """The ends of the chains, and that they are signed. `hostagent audit verify` looks at all of it."""
    newest = {file.writer: file.path for file in journal_files(Directory(service.config.state_directory).journal)}
    seen = 0
    for path in newest.values():
        count, bad = verify_tail(path)
        if bad:
            return Status.FAIL, f"{path}: {bad}", "hostagent audit verify; keep the files as evidence"
        seen += count
    age = time.time() - service.checkpointed_at
    if age > CHECKPOINT_SECONDS:
        return Status.FAIL, f"the records were last signed {age:.0f} s ago", _LOG
    return Status.PASS, f"the last {seen} records of {len(newest)} chains are sound, signed {age:.0f} s ago", ""


def verify_tail(path: Path) -> tuple[int, str]:
    """How many of a journal file's last records were looked at, and what is wrong with them (empty: nothing).

    Only whole lines count: the file may be written to meanwhile, and what a crash left is told of by its torn record.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
        file.seek(start)
        lines = file.read().split(b"\n")[(1 if start else 0) : -1]
    head: Head | None = None
    for number, line in enumerate(lines):
        link = read_link(line)
        if link is None and number + 1 < len(lines) and is_torn_record(lines[number + 1]):
            continue
        if link is None or not link.sound:
            return number, f"a record is not as it was written, {len(lines) - number} from the end"
        if head is not None and not link.follows(head):
            return number, f"record {link.seq} does not follow {head.seq}"
        head = Head(link.seq, link.hash)
    return len(lines), ""


def trust(service: Service) -> Finding:
    """Whether the host trusts the CA by which clients' TLS is answered."""
    if holds(bundle(), service.authority.certificate_pem):
        return Status.PASS, f"the CA is in {bundle()}", ""
    fix = "hostagent ca install --system; `hostagent ca status` asks each runtime"
    return Status.WARN, "the CA is not in the system's trust store: clients that verify refuse the connection", fix


def containers(service: Service) -> Finding:
    """Bridges that forward: what containers behind an uncovered one send, if governed, is refused."""
    covered = service.config.container_interfaces
    bridges = sorted(path.name for path in INTERFACES.iterdir() if (path / "bridge").is_dir())
    forwards = FORWARDING.exists() and FORWARDING.read_text().strip() != "0"
    bare = [name for name in bridges if not any(Path(name).match(pattern) for pattern in covered)]
    if bare and forwards:
        fix = f"container_interfaces: [{', '.join(bare)}] in hostagent.yaml, to have their flows intercepted"
        return Status.WARN, f"not covered: {', '.join(bare)}; governed containers there are refused", fix
    said = f"{len(bridges)} bridges, covered: {', '.join(covered) or 'none'}, forwarding {'on' if forwards else 'off'}"
    return Status.PASS, said, ""


CHECKS: tuple[tuple[int, str, str, Callable[[Service], Finding]], ...] = (
    (20, "daemon.answers", "the daemon answers", answers),
    (21, "daemon.children", "workers and analyzers", children),
    (22, "daemon.unit", "systemd unit", unit),
    (23, "daemon.pins", "pinned hooks", pins),
    (24, "policy.loaded", "policy in force", policy),
    (25, "policy.lint", "policy warnings", lint),
    (26, "records.space", "room for records", space),
    (27, "records.chain", "chains of the records", chain),
    (28, "ca.trusted", "CA trusted by the host", trust),
    (29, "containers.covered", "container networks", containers),
)


async def _flown(service: Service) -> list[Check]:
    amiss = await service.governing.verify()
    standing = Status.FAIL if amiss else Status.PASS
    name = "hooks and rules are as they should be"
    said = "; ".join(amiss) or "verified now"
    checks = [Check(40, "enforced.standing", name, standing, said, _LOG if amiss else "")]
    try:
        findings = await service.fly_canary(everything=True)
    except HostError as error:
        return [*checks, Check(49, "canary.flies", "the canary flies", Status.FAIL, error.what, error.hint or _LOG)]
    for f in findings:
        status = Status.PASS if f.good else Status.FAIL
        checks.append(Check(f.number, f.id, f.name, status, f.evidence, "" if f.good else _LOG))
    return checks
