"""The host CA: made once, private, and its leaves verify for the names they were asked for and no others."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hostagent.errors import FileError
from hostagent.pki.authority import LEAF_LIFETIME, MAX_LEAVES, Authority, Leaf
from hostagent.pki.leaf import leaf_der, server_context
from hostagent.runtime.tls import Tls


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "ca" / "ca.pem", tmp_path / "ca" / "ca.key"


def shake_hands(leaf: Leaf, ca_pem: str, name: str) -> None:
    context = ssl.create_default_context(cadata=ca_pem)
    client = Tls(context, server_side=False, server_name=name)
    server = Tls(server_context(leaf.chain_pem, leaf.key_pem), server_side=True)
    while not (client.handshake() and server.established):
        server.feed(client.outgoing())
        server.established or server.handshake()
        client.feed(server.outgoing())


def test_a_leaf_verifies_for_its_names(files: tuple[Path, Path]) -> None:
    authority = Authority.load_or_create(*files)
    leaf = authority.leaf(("db.example", "10.0.0.5"))
    for name in ("db.example", "10.0.0.5"):
        shake_hands(leaf, authority.certificate_pem, name)


def test_a_leaf_verifies_for_no_other_name(files: tuple[Path, Path]) -> None:
    authority = Authority.load_or_create(*files)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority.leaf(("db.example",)), authority.certificate_pem, "other.example")


def test_the_ca_is_made_once_and_its_key_is_private(files: tuple[Path, Path]) -> None:
    first = Authority.load_or_create(*files)
    assert files[1].stat().st_mode & 0o777 == 0o600
    assert Authority.load_or_create(*files).certificate_pem == first.certificate_pem


def test_a_key_that_others_can_read_is_refused(files: tuple[Path, Path]) -> None:
    Authority.load_or_create(*files)
    files[1].chmod(0o644)
    with pytest.raises(FileError, match="other users can read"):
        Authority.load_or_create(*files)


@pytest.mark.parametrize("damage", ["", "not a key"])
def test_an_unreadable_key_is_one_clear_error(files: tuple[Path, Path], damage: str) -> None:
    Authority.load_or_create(*files)
    files[1].write_text(damage)
    with pytest.raises(FileError, match=r"ca\.key:1:1: the CA key cannot be read"):
        Authority.load_or_create(*files)


def test_a_missing_half_is_not_made_anew(files: tuple[Path, Path]) -> None:
    Authority.load_or_create(*files)
    files[1].unlink()
    with pytest.raises(FileError, match="cannot be read"):
        Authority.load_or_create(*files)


@pytest.mark.parametrize("other", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_of_another_certificate_is_refused(
    files: tuple[Path, Path], other: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) -> None:
    Authority.load_or_create(*files)
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files[1].write_bytes(pem)
    with pytest.raises(FileError, match=r"does not belong|not an elliptic-curve key"):
        Authority.load_or_create(*files)


def test_leaves_are_kept_but_not_without_bound(files: tuple[Path, Path]) -> None:
    authority = Authority.load_or_create(*files)
    assert authority.leaf(("a.example",)) is authority.leaf(("a.example",))
    for number in range(MAX_LEAVES):
        authority.leaf((f"{number}.example",))
    assert len(authority._leaves) == MAX_LEAVES


def test_a_name_that_is_none_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError):
        Authority.load_or_create(*files).leaf(("bücher.example",))


def test_a_leaf_near_its_end_is_minted_anew(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.load_or_create(*files)
    first = authority.leaf(("a.example",))
    monkeypatch.setattr("hostagent.pki.authority.LEAF_RENEWAL", LEAF_LIFETIME - datetime.timedelta(minutes=1))
    assert authority.leaf(("a.example",)) is first
    monkeypatch.setattr("hostagent.pki.authority.LEAF_RENEWAL", LEAF_LIFETIME)
    assert authority.leaf(("a.example",)) is not first


def test_a_leaf_that_is_not_valid_any_more_since_the_clock_was_set_back_is_minted_anew(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.load_or_create(*files)
    first = authority.leaf(("a.example",))
    assert authority.leaf(("a.example",)) is first
    monkeypatch.setattr("hostagent.pki.authority.BACKDATE", -datetime.timedelta(minutes=1))
    assert authority.leaf(("a.example",)) is not first


def test_the_key_cannot_be_read_by_another_user(files: tuple[Path, Path]) -> None:
    Authority.load_or_create(*files)
    files[1].parent.chmod(0o755)
    script = f"import os; os.setuid(65534); open({str(files[1])!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def test_a_key_that_belongs_to_another_user_is_refused(files: tuple[Path, Path]) -> None:
    Authority.load_or_create(*files)
    os.chown(files[1], 65534, 65534)
    with pytest.raises(FileError, match="belongs to another user"):
        Authority.load_or_create(*files)


def test_what_clients_bind_to_is_the_leaf(files: tuple[Path, Path]) -> None:
    leaf = Authority.load_or_create(*files).leaf(("a.example",))
    first = x509.load_pem_x509_certificates(leaf.chain_pem.encode())[0]
    assert leaf_der(leaf.chain_pem) == first.public_bytes(serialization.Encoding.DER)
