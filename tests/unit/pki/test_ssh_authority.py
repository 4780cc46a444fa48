"""The SSH CA: made once, private, and its certificates are what stock tools take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hostagent.errors import FileError
from hostagent.pki.ssh_authority import SshAuthority
from tests.lab.sshd import keygen


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = SshAuthority.load_or_create(tmp_path / "ca" / "key")
    assert (tmp_path / "ca" / "key").stat().st_mode & 0o777 == 0o600
    assert SshAuthority.load_or_create(tmp_path / "ca" / "key").public_key == first.public_key
    assert first.public_key.startswith("ecdsa-sha2-nistp256 ")


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    SshAuthority.load_or_create(file)
    file.chmod(0o644)
    with pytest.raises(FileError, match="other users can read"):
        SshAuthority.load_or_create(file)
    file.write_text("nothing")
    file.chmod(0o600)
    with pytest.raises(FileError, match="cannot be used"):
        SshAuthority.load_or_create(file)


@pytest.mark.parametrize(
    ("pattern", "principals"), [(False, "Principals: (none)"), (True, "Principals: \n                *\n")]
)
def test_a_host_certificate_is_good_for_every_host_and_is_of_a_host(
    tmp_path: Path, pattern: bool, principals: str
) -> None:
    authority = SshAuthority.load_or_create(tmp_path / "key")
    public = keygen(tmp_path / "host", "ecdsa")
    (tmp_path / "cert.pub").write_text(authority.host_certificate(public, pattern=pattern) + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", tmp_path / "cert.pub"], capture_output=True, text=True, check=True
    )
    assert "host certificate" in shown.stdout and principals in shown.stdout
    (tmp_path / "ca.pub").write_text(authority.public_key)
    ca = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "ca.pub"], capture_output=True, text=True, check=True)
    assert ca.stdout.split()[1] in shown.stdout
    with pytest.raises(ValueError):
        authority.host_certificate("ssh-ed25519 AAAA", pattern=pattern)
    with pytest.raises(ValueError, match="elliptic-curve"):
        authority.host_certificate(keygen(tmp_path / "rsa", "rsa", "-b", "2048"), pattern=pattern)
