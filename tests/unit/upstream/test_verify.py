"""The upstream must prove who it is; there is no context that lets it not."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hostagent.errors import HostError
from hostagent.runtime.tls import Tls
from hostagent.upstream.verify import context_for, end_point_binding
from hostagent.values.target import Target, UpstreamTls

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("db.test")


def target(tls: UpstreamTls, ca_file: str) -> Target:
    return Target("orders", "postgres", tls, ca_file)


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def connect(to: Target, name: str) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(serving)
    server = Tls(serving, server_side=True)
    client = Tls(context_for(to), server_side=False, server_name=name)
    while not (client.handshake() and server.established):
        server.feed(client.outgoing())
        server.established or server.handshake()
        client.feed(server.outgoing())


def test_verify_full_takes_the_right_name(ca_file: str) -> None:
    connect(target(UpstreamTls.VERIFY_FULL, ca_file), "db.test")


def test_verify_full_refuses_another_name(ca_file: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(target(UpstreamTls.VERIFY_FULL, ca_file), "other.test")


def test_verify_ca_takes_another_name_of_the_right_ca(ca_file: str) -> None:
    connect(target(UpstreamTls.VERIFY_CA, ca_file), "other.test")


@pytest.mark.parametrize("tls", [UpstreamTls.VERIFY_CA, UpstreamTls.VERIFY_FULL])
def test_another_ca_is_refused_in_every_mode(tls: UpstreamTls, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        connect(target(tls, str(tmp_path / "other.pem")), "db.test")


def test_without_a_file_the_system_store_decides() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(target(UpstreamTls.VERIFY_FULL, ""), "db.test")


def test_plaintext_has_no_context() -> None:
    with pytest.raises(ValueError, match="no TLS"):
        context_for(target(UpstreamTls.OFF, ""))


@pytest.mark.parametrize("content", [None, "no pem"])
def test_an_unusable_ca_file_is_one_clear_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(HostError, match=r"ca\.pem cannot be .*\n.*hint"):
        context_for(target(UpstreamTls.VERIFY_FULL, str(path)))


def test_a_renewed_ca_file_is_read_again(tmp_path: Path, ca_file: str) -> None:
    path = tmp_path / "renewed.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    renewed = target(UpstreamTls.VERIFY_FULL, str(path))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(renewed, "db.test")
    path.write_bytes(Path(ca_file).read_bytes())
    connect(renewed, "db.test")


def test_the_binding_is_the_certificates_own_hash() -> None:
    pem = CERTIFICATE.cert_chain_pems[0].bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert end_point_binding(der) == hashlib.sha256(der).digest()


def test_no_binding_without_a_certificate() -> None:
    assert end_point_binding(b"no certificate") == b""
