"""Our line in a known_hosts file: put in, taken out, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.errors import HostError
from hostagent.pki.ssh_known_hosts import install, trusts, uninstall

KEY = "ecdsa-sha2-nistp256 AAAAE2VjZHNh"
OTHER = "ecdsa-sha2-nistp256 AAAAother"


def test_a_line_is_put_in_once_and_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    assert install(file, "hostagent", KEY) and not install(file, "hostagent", KEY)
    assert file.read_text() == f"@cert-authority * {KEY} hostagent-ca\n" and file.stat().st_mode & 0o777 == 0o644
    assert trusts(file, KEY) and not trusts(file, OTHER)
    assert uninstall(file, "hostagent") and not uninstall(file, "hostagent")
    assert not file.exists() and not trusts(file, KEY)


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    theirs = "# theirs\nhost ssh-ed25519 AAAA\n\n@cert-authority *.corp ssh-rsa BBBB corp-ca\n"
    file.write_text(theirs)
    file.chmod(0o640)
    install(file, "hostagent", KEY)
    install(file, "second", OTHER)
    assert file.read_text() == (theirs + f"@cert-authority * {KEY} hostagent-ca\n@cert-authority * {OTHER} second-ca\n")
    assert file.stat().st_mode & 0o777 == 0o640
    uninstall(file, "hostagent")
    uninstall(file, "second")
    assert file.read_text() == theirs


def test_a_new_ca_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    install(file, "hostagent", KEY)
    assert install(file, "hostagent", OTHER) and trusts(file, OTHER) and not trusts(file, KEY)


def test_a_link_or_a_missing_directory_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(HostError, match="is a link"):
        install(tmp_path / "link", "hostagent", KEY)
    with pytest.raises(HostError, match="no directory"):
        install(tmp_path / "none" / "known_hosts", "hostagent", KEY)
