"""The daemon's half of doctor: each check able to fail or warn beside a service where it passes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hostagent.daemon import doctor
from hostagent.daemon.bypass import ATTEMPTS
from hostagent.daemon.canary import FIRST
from hostagent.kernel.probe import CHECKS as HOST_CHECKS
from hostagent.kernel.probe import Finding, Status
from hostagent.recording.chain import Head, extend
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal

Check = Callable[[Any], Finding]


def keeper(name: str, child: object = "runs", restarts: int = 0) -> Any:
    return SimpleNamespace(name=name, child=child, restarts=restarts)


@pytest.fixture
def service(tmp_path: Path) -> Any:
    journal = Journal(Directory(tmp_path).journal, "host")
    for number in range(3):
        journal.append(b'{"event":%d}' % number)
    journal.close()
    config = SimpleNamespace(instance="none-such", state_directory=tmp_path, container_interfaces=("docker0", "cni*"))
    current = SimpleNamespace(version="v1", mode="enforce", rules=[])
    return SimpleNamespace(
        config=config,
        pool=SimpleNamespace(workers=[keeper("worker0")], analyzers=[keeper("analyzer0")]),
        policies=SimpleNamespace(current=current, error="", directory=tmp_path),
        authority=SimpleNamespace(certificate_pem="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        started=time.time(), checkpointed_at=time.time(), state="ready",
    )  # fmt: skip


def test_numbers_and_ids_are_each_their_own_over_all_halves() -> None:
    numbered = [(number, name) for number, name, *_ in (*HOST_CHECKS, *doctor.CHECKS)]
    numbered += [(way.number, way.id) for way in ATTEMPTS]
    numbered += [(40, "enforced.standing"), (49, "canary.flies"), *((FIRST + n, f"canary.{n}") for n in range(6))]
    assert len({number for number, _ in numbered}) == len({name for _, name in numbered}) == len(numbered)


def test_children_that_are_down_or_were_started_again(service: Any) -> None:
    assert doctor.children(service)[0] is Status.PASS
    service.pool.workers = [keeper("worker0", restarts=2)]
    assert doctor.children(service)[:2] == (Status.WARN, "started again: worker0 2 times")
    service.pool.analyzers = [keeper("analyzer0", child=None)]
    assert doctor.children(service)[:2] == (Status.FAIL, "down: analyzer0")


def test_a_refused_reload(service: Any) -> None:
    assert doctor.policy(service)[0] is Status.PASS
    service.policies.error = "policy.yaml:3:1: unknown key"
    assert doctor.policy(service)[0] is Status.FAIL


def test_room_for_records(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((doctor.LOW_BYTES, Status.PASS), (doctor.LEAST_BYTES, Status.WARN), (0, Status.FAIL)):
        monkeypatch.setattr(os, "statvfs", lambda _, free=free: SimpleNamespace(f_bavail=free, f_frsize=1))
        assert doctor.space(service)[0] is status


def test_chains_that_are_sound_altered_or_not_signed(service: Any) -> None:
    (file,) = Directory(service.config.state_directory).journal.glob("*.ndjson")
    whole = file.read_bytes()
    assert doctor.chain(service)[0] is Status.PASS
    service.checkpointed_at -= 2 * doctor.CHECKPOINT_SECONDS
    assert doctor.chain(service)[0] is Status.FAIL
    service.checkpointed_at = time.time()
    file.write_bytes(whole.replace(b'"event":1', b'"event":7'))
    assert doctor.chain(service)[0] is Status.FAIL
    lines = whole.splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[2])
    assert "does not follow" in doctor.chain(service)[1]


def test_only_the_end_of_a_long_file_is_looked_at_and_only_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, _ = extend(Head(), b"host", [b'{"event":%d}' % number for number in range(100)])
    (tmp_path / "f").write_bytes(b"".join(lines) + b'{"half')
    monkeypatch.setattr(doctor, "TAIL_BYTES", 10 * len(lines[50]))
    count, bad = doctor.verify_tail(tmp_path / "f")
    assert not bad
    assert 8 <= count <= 10


def test_trust_of_the_host(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "bundle", lambda: tmp_path / "bundle")
    assert doctor.trust(service)[0] is Status.WARN
    (tmp_path / "bundle").write_text(service.authority.certificate_pem)
    assert doctor.trust(service)[0] is Status.PASS


@pytest.mark.parametrize(
    ("bridges", "forwards", "status"),
    [
        ((), "1", Status.PASS),
        (("docker0", "cni-podman0"), "1", Status.PASS),
        (("docker0", "br-1"), "1", Status.WARN),
        (("br-1",), "0", Status.PASS),
    ],
)
def test_container_networks(
    service: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bridges: tuple[str, ...],
    forwards: str,
    status: Status,
) -> None:
    for name in bridges:
        (tmp_path / "net" / name / "bridge").mkdir(parents=True)
    (tmp_path / "net" / "eth0").mkdir(parents=True)
    (tmp_path / "ip_forward").write_text(forwards + "\n")
    monkeypatch.setattr(doctor, "INTERFACES", tmp_path / "net")
    monkeypatch.setattr(doctor, "FORWARDING", tmp_path / "ip_forward")
    assert doctor.containers(service)[0] is status


def test_pins_of_ours_and_of_others(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PINS", tmp_path / "pins")
    assert doctor.pins(service)[0] is Status.FAIL
    (tmp_path / "pins" / "none-such" / "links").mkdir(parents=True)
    assert doctor.pins(service)[0] is Status.PASS
    (tmp_path / "pins" / "another").mkdir()
    assert doctor.pins(service)[0] is Status.WARN


@pytest.mark.parametrize(("said", "status"), [("enabled", Status.PASS), ("disabled", Status.WARN)])
def test_the_unit(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: Status) -> None:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    assert doctor.unit(service)[0] is Status.WARN
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\necho {said}\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("INVOCATION_ID", "1")
    monkeypatch.setattr(doctor, "SYSTEMD", tmp_path)
    assert doctor.unit(service)[0] is status
