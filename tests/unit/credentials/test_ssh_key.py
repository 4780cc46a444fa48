"""Signatures and certificates made of a credential's key, verified by asyncssh and ssh-keygen."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import asyncssh
import pytest

from hostagent.credentials.secret import Unavailable
from hostagent.credentials.ssh_key import SshKey
from tests.lab.sshd import keygen

KINDS = [
    ("ed25519", ()),
    ("ecdsa", ("-b", "256")),
    ("ecdsa", ("-b", "384")),
    ("ecdsa", ("-b", "521")),
    ("rsa", ("-b", "2048")),
]


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


@pytest.mark.parametrize(("kind", "more"), KINDS, ids=lambda value: "".join(value))
def test_it_signs_a_login_as_servers_verify_it(tmp_path: Path, kind: str, more: tuple[str, ...]) -> None:
    public = keygen(tmp_path / "key", kind, *more)
    key = SshKey((tmp_path / "key").read_text(), "web")
    assert key.public_key.split()[:2] == public.split()[:2]
    verifier = asyncssh.import_public_key(public)
    for algorithm in key.algorithms:
        request = b"".join((
            string(b"s" * 32), b"\x32", string(b"root"), string(b"ssh-connection"), string(b"publickey"), b"\x01",
            string(algorithm.encode()), string(verifier.public_data),
        ))  # fmt: skip
        assert verifier.verify(request, key.sign_login(b"s" * 32, "root", algorithm))
        assert not verifier.verify(request, key.sign_login(b"s" * 32, "toor", algorithm))


def test_nothing_but_a_login_is_signed(tmp_path: Path) -> None:
    keygen(tmp_path / "key")
    key = SshKey((tmp_path / "key").read_text(), "web")
    for session_id, algorithm in ((b"", "ssh-ed25519"), (b"x" * 65, "ssh-ed25519"), (b"x" * 32, "ssh-rsa")):
        with pytest.raises(ValueError, match="no such signature"):
            key.sign_login(session_id, "root", algorithm)


def test_a_user_certificate_is_short_and_names_its_principals(tmp_path: Path) -> None:
    keygen(tmp_path / "ca")
    subject = keygen(tmp_path / "user", "ecdsa")
    ca = SshKey((tmp_path / "ca").read_text(), "web")
    text = ca.user_certificate(subject, ("deploy", "web"), 60, "hostagent f00-1", "uptime")
    (tmp_path / "cert.pub").write_text(text + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", tmp_path / "cert.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert "user certificate" in shown and 'Key ID: "hostagent f00-1"' in shown
    assert "deploy" in shown and "force-command uptime" in shown and "permit-pty" in shown
    with pytest.raises(ValueError, match="elliptic-curve"):
        ca.user_certificate(keygen(tmp_path / "ed"), ("x",), 60, "x", None)


def test_what_is_no_usable_key_is_not_quoted(tmp_path: Path) -> None:
    keygen(tmp_path / "weak", "rsa", "-b", "1024")
    keygen(tmp_path / "locked")
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "pass-s3cret", "-f", tmp_path / "locked"], check=True)
    for secret in ("my-s3cret", (tmp_path / "weak").read_text(), (tmp_path / "locked").read_text()):
        with pytest.raises(Unavailable, match="credential web") as caught:
            SshKey(secret, "web")
        assert "s3cret" not in str(caught.value) and secret[-80:] not in str(caught.value)
