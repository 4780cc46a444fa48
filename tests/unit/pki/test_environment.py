"""The environment directory, and the runtimes of this machine under it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.pki import environment
from hostagent.pki.authority import Authority
from hostagent.pki.constraints import PROBE_NAME
from hostagent.pki.environment import BUNDLE, VARIABLES
from hostagent.pki.system_store import bundle, holds
from hostagent.pki.trust_probe import Finding, findings, plain_environment


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    directory = tmp_path_factory.mktemp("ca")
    return Authority.load_or_create(directory / "ca.pem", directory / "ca.key")


def asked(authority: Authority, variables: dict[str, str]) -> dict[str, Finding]:
    leaf = authority.leaf((PROBE_NAME,))
    found = findings(authority.certificate_pem, leaf.chain_pem, leaf.key_pem, plain_environment() | variables)
    return {finding.runtime: finding for finding in found if finding.trusts is not None}


def test_the_files_are_made_once_and_go_again(tmp_path: Path, authority: Authority) -> None:
    directory = tmp_path / "trust"
    assert environment.install(directory, authority.certificate_pem)
    stamps = {file.name: file.stat().st_mtime_ns for file in directory.iterdir()}
    assert not environment.install(directory, authority.certificate_pem)
    assert {file.name: file.stat().st_mtime_ns for file in directory.iterdir()} == stamps
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in directory.iterdir())
    assert environment.uninstall(directory) and not directory.exists()
    assert not environment.uninstall(directory)


def test_the_bundle_is_the_systems_and_ours(tmp_path: Path, authority: Authority) -> None:
    environment.install(tmp_path, authority.certificate_pem)
    text, system = (tmp_path / BUNDLE).read_text(), bundle()
    assert holds(tmp_path / BUNDLE, authority.certificate_pem)
    assert system is not None and text.count("BEGIN") == system.read_text().count("BEGIN") + 1


def test_another_ca_takes_the_place_of_the_first(tmp_path: Path, authority: Authority) -> None:
    other = Authority.load_or_create(tmp_path / "ca.pem", tmp_path / "ca.key").certificate_pem
    directory = tmp_path / "trust"
    environment.install(directory, authority.certificate_pem)
    assert environment.install(directory, other)
    assert holds(directory / BUNDLE, other) and not holds(directory / BUNDLE, authority.certificate_pem)


def test_what_others_put_there_stays(tmp_path: Path, authority: Authority) -> None:
    environment.install(tmp_path, authority.certificate_pem)
    (tmp_path / "mine").write_text("x")
    environment.uninstall(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_shells_read_the_variables_as_we_do(tmp_path: Path, authority: Authority) -> None:
    environment.install(tmp_path, authority.certificate_pem)
    script = f"set -a; . {tmp_path}/{VARIABLES}; env"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert environment.read_variables(tmp_path).items() <= seen.items()


@pytest.mark.parametrize("path", ["/tmp/a b", "/tmp/a'b", "relative/dir", "/tmp/a\nb", "/tmp/$HOME"])
def test_a_path_that_shells_would_read_otherwise_is_refused(path: str, authority: Authority) -> None:
    with pytest.raises(HostError, match="cannot be named in an environment file"):
        environment.install(Path(path), authority.certificate_pem)


def test_no_runtime_trusts_a_ca_that_is_installed_nowhere(authority: Authority) -> None:
    found = asked(authority, {})
    assert {"openssl", "curl", "git", "python", "libpq"} <= found.keys()
    assert [finding for finding in found.values() if finding.trusts] == []
    assert "verif" in found["python"].evidence.lower() and "certificate" in found["curl"].evidence.lower()


def test_every_runtime_trusts_it_under_the_environment(tmp_path: Path, authority: Authority) -> None:
    environment.install(tmp_path, authority.certificate_pem)
    found = asked(authority, environment.read_variables(tmp_path))
    assert {"openssl", "curl", "git", "python", "libpq"} <= found.keys()
    assert [finding for finding in found.values() if not finding.trusts] == []


def test_without_a_file_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot be read(.|\n)*hostagent ca install --environment"):
        environment.read_variables(tmp_path)
