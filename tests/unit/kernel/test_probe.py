"""The checks: numbered, each able to fail beside a host where it passes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hostagent.kernel import cgroups, probe
from hostagent.kernel.probe import Status


def test_every_check_is_numbered_and_says_what_it_saw() -> None:
    found = probe.probe()
    assert [(check.number, check.id) for check in found] == [
        (1, "host.capabilities"), (2, "host.btf"), (3, "host.cgroup2"), (4, "host.bpffs"), (5, "host.libbpf"),
        (6, "host.nftables"), (7, "host.ipv6"), (8, "host.source-validation"), (9, "host.foreign-marks"),
        (10, "host.destroy-sockets"), (11, "host.io-uring"), (12, "host.clock"),
    ]  # for ever: dashboards and scripts know them  # fmt: skip
    assert all(check.evidence and (check.fix or check.status is Status.PASS) for check in found)
    assert probe.missing() == [check for check in found if check.status is Status.FAIL]


def test_cgroup_v1_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert probe.cgroup2()[0] is Status.PASS
    mounts = tmp_path / "mounts"
    mounts.write_text("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")
    real = cgroups.find_cgroup2_root
    monkeypatch.setattr(probe, "find_cgroup2_root", lambda: real(mounts))
    status, evidence, fix = probe.cgroup2()
    assert status is Status.FAIL
    assert "v2" in evidence
    assert fix


def test_no_type_information(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert probe.kernel_types()[0] is Status.PASS
    monkeypatch.setattr(probe, "BTF", tmp_path / "vmlinux")
    assert probe.kernel_types()[0] is Status.FAIL


def test_lacking_capabilities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr(probe, "STATUS", status)
    status.write_text("CapEff:\t000001ffffffffff\n")
    assert probe.capabilities()[0] is Status.PASS
    status.write_text(f"CapEff:\t{0x1FFFFFFFFFF & ~(1 << 12):016x}\n")
    assert probe.capabilities()[:2] == (Status.FAIL, "lacking CAP_NET_ADMIN")


def test_no_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe.nftables()[0] is Status.PASS
    monkeypatch.setenv("PATH", "/nowhere")
    assert probe.nftables()[:2] == (Status.FAIL, "nft is not installed")


@pytest.mark.parametrize(("value", "status"), (("0", Status.PASS), ("1", Status.WARN)))
def test_settings_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, status: Status) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "src_valid_mark").write_text(f"{value}\n")
    (tmp_path / "disable_ipv6").write_text(f"{value}\n")
    monkeypatch.setattr(probe, "IPV4_SETTINGS", tmp_path)
    monkeypatch.setattr(probe, "IPV6", tmp_path / "disable_ipv6")
    assert probe.source_marks()[0] is status
    assert probe.ipv6()[0] is status


@pytest.mark.parametrize(
    ("kernel", "said", "status"),
    [
        (0, "", Status.PASS),
        (5, "", Status.WARN),
        (-1, "yes", Status.PASS),
        (-1, "no", Status.WARN),
        (-1, "?", Status.WARN),
    ],
)
def test_the_clock_is_asked_of_the_kernel_and_else_of_systemd(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: int, said: str, status: Status
) -> None:
    (tmp_path / "timedatectl").write_text(f"#!/bin/sh\necho {said}\n")
    (tmp_path / "timedatectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(probe.ctypes, "CDLL", lambda *_, **__: SimpleNamespace(adjtimex=lambda _: kernel))
    assert probe.clock()[0] is status
