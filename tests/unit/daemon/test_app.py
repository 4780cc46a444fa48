"""Starting: one clear error with its exit code, and what a failure takes back or leaves standing."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from hostagent.daemon import app
from hostagent.errors import HostError

CONFIG = """govern: {{cgroups: [/nothing.slice]}}
instance: unit{pid}
port: {port}
users: {{worker: 54321, analyzer: 54322}}
state_directory: {directory}/state
runtime_directory: {directory}/run
policy_directory: {directory}/policies.d
"""


@pytest.fixture
def config(tmp_path: Path, policy_directory: Path) -> Path:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    file = tmp_path / "hostagent.yaml"
    file.write_text(CONFIG.format(pid=os.getpid(), port=port, directory=tmp_path))
    return file


class FakeService:
    """A service that fails where the test says: in `begin`, in `run` before READY, or after it."""

    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in
        self.state = "starting"
        self.remove_at_stop = self.torn_down = False

    def __call__(self, *_: object) -> FakeService:
        return self

    def bind(self, *_: object, **__: object) -> None: ...

    def begin(self) -> None:
        if self.fails_in == "begin":
            raise HostError("the hooks cannot be attached")

    async def run(self, _: object) -> None:
        if self.fails_in == "start":
            raise ExceptionGroup("tasks", [ExceptionGroup("more", [HostError("the canary was not governed")])])
        self.state = "ready"
        if self.fails_in == "ready":
            raise ExceptionGroup("tasks", [OSError(28, "No space left on device")])


def start(
    monkeypatch: pytest.MonkeyPatch, config: Path, fails_in: str, *options: str, stood: bool = False
) -> tuple[int, list[str]]:
    """The exit code, and the instances that were removed."""
    removed: list[str] = []
    pins = config.parent / "pins"
    (pins / f"unit{os.getpid()}").mkdir(parents=True) if stood else None
    monkeypatch.setattr(app, "PINS", pins)
    monkeypatch.setattr(app, "missing", list)
    monkeypatch.setattr(app, "Service", FakeService(fails_in))
    monkeypatch.setattr(app, "_remove", lambda config, *_: removed.append(config.instance))
    return app.main(["--config", str(config), "--bpf", str(config.parent), *options]), removed


@pytest.mark.parametrize("fails_in", ["begin", "start"])
def test_a_failed_first_start_takes_back_what_it_did(
    monkeypatch: pytest.MonkeyPatch, config: Path, fails_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, removed = start(monkeypatch, config, fails_in)
    assert (code, removed) == (os.EX_UNAVAILABLE, [f"unit{os.getpid()}"])
    assert capsys.readouterr().err.count("hostagentd: ") == 1


@pytest.mark.parametrize("fails_in", ["begin", "start"])
def test_a_failed_restart_leaves_what_stood_standing(
    monkeypatch: pytest.MonkeyPatch, config: Path, fails_in: str
) -> None:
    assert start(monkeypatch, config, fails_in, stood=True) == (os.EX_UNAVAILABLE, [])


@pytest.mark.parametrize("options", [(), ("--remove",)])
def test_a_failure_after_ready_never_opens_the_way(
    monkeypatch: pytest.MonkeyPatch, config: Path, options: tuple[str, ...]
) -> None:
    assert start(monkeypatch, config, "ready", *options) == (os.EX_UNAVAILABLE, [])


def test_a_clean_stop_removes_only_when_asked(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    assert start(monkeypatch, config, "") == (os.EX_OK, [])
    assert start(monkeypatch, config, "", "--remove") == (os.EX_OK, [f"unit{os.getpid()}"])


def run(config: Path, capsys: pytest.CaptureFixture[str], *errand: str) -> tuple[int, str]:
    code = app.main(["--config", str(config), *errand])
    return code, capsys.readouterr().err


def test_not_root(monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, said = run(config, capsys)
    assert code == os.EX_NOPERM
    assert "must start as root" in said


def test_bad_files_name_their_place(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, capsys, "check")[0] == os.EX_OK
    policy = config.parent / "policies.d" / "10-test.yaml"
    policy.write_text(policy.read_text() + "rulez: []\n")
    code, said = run(config, capsys, "check")
    assert code == os.EX_CONFIG
    assert "10-test.yaml:5:1" in said
    config.write_text(config.read_text() + "prot: 1\n")
    code, said = run(config, capsys, "check")
    assert code == os.EX_CONFIG
    assert "hostagent.yaml:8:1" in said


def test_a_taken_port(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = int(config.read_text().split("port: ")[1].split()[0])
    with socket.create_server(("127.0.0.1", port)):
        code, said = run(config, capsys)
    assert code == os.EX_UNAVAILABLE
    assert f"port {port} is taken" in said
    assert not (config.parent / "state").exists()


def test_a_missing_kernel_feature(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hostagent.kernel.probe.BTF", config.parent / "none")
    code, said = run(config, capsys)
    assert code == os.EX_UNAVAILABLE
    assert "CONFIG_DEBUG_INFO_BTF" in said


def test_a_host_with_cgroup_v1_only(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*_: Any) -> Path:
        raise HostError("no cgroup v2 hierarchy is mounted", "mount it")

    monkeypatch.setattr(app, "find_cgroup2_root", none)
    code, said = run(config, capsys)
    assert code == os.EX_UNAVAILABLE
    assert "no cgroup v2" in said


def test_an_unreadable_ca_key(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca = config.parent / "state" / "ca"
    ca.mkdir(parents=True)
    (ca / "ca.pem").write_text("nothing")
    (ca / "ca.key").write_text("nothing")
    (ca / "ca.key").chmod(0o600)
    code, said = run(config, capsys)
    assert code == os.EX_CONFIG
    assert "ca.key" in said
    assert "cannot be read" in said
