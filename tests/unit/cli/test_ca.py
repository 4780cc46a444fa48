"""`hostagent ca`: print, install, ask, uninstall; without a daemon where a file is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.cli import ca
from hostagent.cli.main import main
from hostagent.pki.authority import Authority
from hostagent.pki.constraints import PROBE_NAME
from tests.unit.pki import private_store

SSH_KEY = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
SYSTEM = """
import json, sys
from hostagent.cli import ca
from hostagent.cli.main import main

probe = json.loads(open(sys.argv[2]).read())
ca.call = lambda _, op: probe
install = ["install", "--system", "--certificate", sys.argv[1]]
ssh = ["install", "--ssh-known-hosts", "/etc/ssh/ssh_known_hosts"]
for words in (install, install, ssh, ["status"], ["uninstall", "--system"], ["status"], ["uninstall", "--system"]):
    print(main(["ca", *words]), flush=True)
"""


@pytest.fixture
def probe(tmp_path: Path) -> dict[str, Any]:
    authority = Authority.load_or_create(tmp_path / "ca.pem", tmp_path / "ca.key", ("corp.example",))
    leaf = authority.leaf((PROBE_NAME,))
    given = {"chain_pem": leaf.chain_pem, "key_pem": leaf.key_pem, "permitted": ["corp.example"]}
    return {"certificate": authority.certificate_pem, "ssh_public_key": SSH_KEY, **given}


@pytest.fixture
def daemon(probe: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca, "call", lambda _, op: probe)


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["ca", *map(str, words)])
    return code, *capsys.readouterr()


def test_it_prints_the_certificate(daemon: None, probe: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys) == (0, probe["certificate"], "")


def test_an_environment_is_installed_asked_and_removed(
    daemon: None, probe: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del probe["ssh_public_key"]  # as where no target speaks SSH
    directory = tmp_path / "trust"
    assert told(capsys, "install", "--environment", directory)[1] == f"written: {directory}/hostagent-ca.env\n"
    assert "was written already" in told(capsys, "install", "--environment", directory)[1]
    code, out, _ = told(capsys, "status", "--environment", directory, "-o", "json")
    answer = json.loads(out)
    assert code == 0 and answer["kind"] == "CaStatus" and answer["permitted"] == ["corp.example"]
    assert {row["trusts"] for row in answer["runtimes"]} <= {True, None}
    assert told(capsys, "uninstall", "--environment", directory)[:2] == (0, f"removed: {directory}\n")
    assert "was not there" in told(capsys, "uninstall", "--environment", directory)[1]


def test_without_it_each_runtime_says_no_and_what_to_do(daemon: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "status")
    assert code == 1 and "PASS" not in out
    assert "curl" in out and "certificate" in out and "fix: hostagent ca install" in out


def test_the_systems_store(tmp_path: Path, probe: dict[str, Any]) -> None:
    (tmp_path / "probe.json").write_text(json.dumps(probe))
    done = private_store.run(tmp_path / "copies", SYSTEM, tmp_path / "ca.pem", tmp_path / "probe.json")
    words = [line for line in done.stdout.splitlines() if line.startswith(("installed", "was ", "removed"))]
    said = ["installed", "was installed already", "installed", "removed", "removed", "was not there", "was not there"]
    assert [word.split(":")[0] for word in words] == said, done.stdout + done.stderr
    first, _, second = done.stdout.split("removed:")
    for runtime in ("openssl", "curl", "git", "python", "go", "ssh"):
        assert any(line.split()[0] == runtime and "PASS" in line for line in first.splitlines() if line), first
        assert any(line.split()[0] == runtime and "FAIL" in line for line in second.splitlines() if line), second


def test_a_known_hosts_file_is_named(daemon: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--ssh")[:2] == (0, f"{SSH_KEY}\n")
    file = tmp_path / "known_hosts"
    for words in (["installed"], ["was installed already"]):
        assert told(capsys, "install", "--ssh-known-hosts", file)[:2] == (0, f"{words[0]}: {file}\n")
    assert file.read_text() == f"@cert-authority * {SSH_KEY} hostagent-ca\n"
    assert told(capsys, "uninstall", "--ssh-known-hosts", file)[:2] == (0, f"removed: {file}\n") and not file.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [("nothing", "not one PEM"), ("-----BEGIN PRIVATE KEY-----", "not one PEM"), (None, "cannot be read")],
)
def test_a_file_that_is_no_certificate(
    tmp_path: Path, text: str | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "given.pem"
    if text is not None:
        file.write_text(text)
    code, _, err = told(capsys, "install", "--environment", tmp_path / "trust", "--certificate", file)
    assert code == 65 and why in err and not (tmp_path / "trust").exists()


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_place_must_be_named(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, action)
    assert code == 69 and "give --system, --environment DIR, or both" in err


def test_a_name_that_is_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ca", "install", "--system", "--name", "../x"])
    assert "lower-case letters" in capsys.readouterr().err
