"""A client certificate is checked before a worker is given it."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from hostagent.credentials.certificate import read_client_certificate
from hostagent.errors import FileError, HostError
from hostagent.upstream.verify import context_for
from hostagent.values.target import Target, UpstreamTls

CA = trustme.CA()


class Files:
    """A certificate and its key, as an operator puts them down."""

    def __init__(self, directory: Path, leaf: trustme.LeafCert) -> None:
        self.cert, self.key = directory / "c.pem", directory / "c.key"
        self.cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(self.key))
        self.key.chmod(0o600)

    def read(self) -> str:
        return read_client_certificate(str(self.cert), str(self.key), "orders")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, CA.issue_cert("app.example"))


def test_key_and_chain_make_a_context(files: Files) -> None:
    pem = files.read()
    target = Target("orders", "postgres", UpstreamTls.VERIFY_CA)
    assert isinstance(context_for(target, pem), ssl.SSLContext)
    assert context_for(target, pem) is context_for(target, pem) is not context_for(target)


def test_a_context_of_something_else_is_one_clear_error() -> None:
    with pytest.raises(HostError, match="client certificate cannot be used"):
        context_for(Target("orders", "postgres", UpstreamTls.VERIFY_CA), "nonsense")


def test_a_key_that_others_can_read(files: Files) -> None:
    files.key.chmod(0o644)
    with pytest.raises(FileError, match=r"tls.key_file: other users can read.*\n.*chmod o="):
        files.read()


def test_a_key_of_another_certificate(files: Files) -> None:
    CA.issue_cert("x.example").private_key_pem.write_to_path(str(files.key))
    with pytest.raises(FileError, match="does not belong to"):
        files.read()


@pytest.mark.parametrize("which", ["cert", "key"])
def test_what_is_no_pem(files: Files, which: str) -> None:
    getattr(files, which).write_text("-----BEGIN NONSENSE-----\n")
    with pytest.raises(FileError, match=rf"tls.{which}_file: not a PEM"):
        files.read()


@pytest.mark.parametrize("which", ["cert", "key"])
def test_what_is_not_there(files: Files, which: str) -> None:
    getattr(files, which).unlink()
    with pytest.raises(FileError, match=rf"tls.{which}_file: the file cannot be read: No such file"):
        files.read()


def test_a_key_with_a_passphrase(files: Files) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    locked = key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"x"))
    files.key.write_bytes(locked)
    with pytest.raises(FileError, match="has a passphrase"):
        files.read()


def test_an_expired_certificate(tmp_path: Path) -> None:
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9)
    leaf = CA.issue_cert("app.example", not_before=long_ago, not_after=long_ago + datetime.timedelta(days=1))
    with pytest.raises(FileError, match="it has expired"):
        Files(tmp_path, leaf).read()
