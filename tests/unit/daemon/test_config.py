"""hostagent.yaml: what is right is read, what is wrong is refused with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hostagent.daemon.config import MAX_DEFAULT_WORKERS, Config, load_config, user_ids
from hostagent.errors import FileError

LEAST = "govern:\n  cgroups: [/system.slice/runner.service]\n"


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "hostagent.yaml"
    file.write_text(text, "utf-8")
    return load_config(file)


def test_the_least_file_has_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, LEAST)
    assert config.govern.cgroups == ("/system.slice/runner.service",)
    assert (config.instance, config.port) == ("hostagent", 15001)
    assert config.workers == max(1, min((os.cpu_count() or 1) // 2, MAX_DEFAULT_WORKERS))
    assert config.ca_key == Path("/var/lib/hostagent/ca/ca.key")
    assert config.control_socket == Path("/run/hostagent/control.sock")


def test_everything_can_be_said(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
instance: demo
port: 15999
govern: {everything_under: /, except: [/system.slice/ssh.service]}
container_interfaces: [docker0]
resolvers: [10.0.0.2, "fd00::2"]
workers: 2
users: {worker: 2001, analyzer: "2002"}
state_directory: /srv/hostagent
ca: {certificate: /srv/ca.pem, key: /srv/ca.key, permitted: [.corp.example, 10.0.0.0/8]}
retention: {days: 7, max_bytes: 1000000}
drain_seconds: 0.5
""",
    )
    assert config.govern.exempt == ("/system.slice/ssh.service",)
    assert config.resolver_addresses() == ["10.0.0.2", "fd00::2"]
    assert config.ca_key == Path("/srv/ca.key")
    assert config.ca.permitted == ("corp.example", "10.0.0.0/8")
    assert user_ids(config.users.worker, tmp_path) == (2001, 2001)
    assert user_ids(config.users.analyzer, tmp_path) == (2002, 2002)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (LEAST + "porte: 1\n", ":3:1", "unknown key"),
        (LEAST + "port: 1\nport: 2\n", ":4:1", "duplicate key"),
        (LEAST + "port: 70000\n", ":3:7", "port"),
        (LEAST + "port: '15001'\n", ":3:7", "port"),
        (LEAST + "instance: Not/Good\n", ":3:11", "instance"),
        (LEAST + "state_directory: var/lib\n", ":3:18", "absolute"),
        ("govern: {cgroups: [relative]}\n", ":1:20", "begin with /"),
        ("govern: {cgroups: [/a/../b]}\n", ":1:20", "relative segment"),
        ("govern: {}\n", ":1:9", "nothing is governed"),
        ("govern: {cgroups: [/a], except: [/b]}\n", ":1:9", "everything_under"),
        ("port: 15001\n", ":1:1", "govern"),
        ("", ":1:1", "empty"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(FileError) as caught:
        load(tmp_path, text)
    assert f"hostagent.yaml{where}" in str(caught.value)
    assert what in str(caught.value)


def test_a_missing_file_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("user", ["no-such-user", 0, "0", "root"])
def test_users_that_are_none_or_root_are_refused(tmp_path: Path, user: str | int) -> None:
    with pytest.raises(FileError, match="users: "):
        user_ids(user, tmp_path / "hostagent.yaml")


def test_system_resolvers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("search a.b\nnameserver 10.1.1.1\nnameserver fe80::1%eth0\n#nameserver 9.9.9.9\n", "utf-8")
    monkeypatch.setattr("hostagent.daemon.config._RESOLV_CONF", resolv)
    assert load(tmp_path, LEAST).resolver_addresses() == ["127.0.0.53", "10.1.1.1"]
    resolv.unlink()
    assert load(tmp_path, LEAST).resolver_addresses() == ["127.0.0.53"]
