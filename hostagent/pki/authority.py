"""The host CA: made once per host, its key readable by the supervisor only; leaves are minted per destination name.

P-256 throughout: half the handshake cost of RSA-2048, and a named hash, so that `tls-server-end-point` channel
binding is defined for the leaf (RFC 5929 section 4.1; Ed25519 has none).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hostagent.errors import FileError, Location
from hostagent.pki.constraints import Permitted, extension
from hostagent.private_file import Shared, make_private, read_private

CA_LIFETIME = datetime.timedelta(days=3650)
LEAF_LIFETIME = datetime.timedelta(days=30)
LEAF_RENEWAL = datetime.timedelta(days=1)  # a leaf closer than this to its end is minted anew
BACKDATE = datetime.timedelta(days=1)  # clocks of clients may run behind, and that of the host be set back
MAX_LEAVES = 1024  # a client chooses the names: the cache must not grow with them
LEAF_SUBJECT = "hostagent leaf"  # no name of a host: where one stood, OpenSSL would hold it to DNS constraints too


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf with its chain, PEM; the key is made for this host and handed to workers, the CA's never is."""

    chain_pem: str
    key_pem: str


class Authority:
    """Mints leaves. One object in the supervisor; it holds the CA key in memory."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.permitted = Permitted(certificate)
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaves: OrderedDict[tuple[str, ...], tuple[datetime.datetime, Leaf]] = OrderedDict()

    @classmethod
    def load_or_create(cls, certificate: Path, key: Path, permitted: tuple[str, ...] = ()) -> Authority:
        """The CA in these PEM files, or a new one when neither exists, limited to `permitted` (all names when empty).

        Raises FileError, also when the one that is there is limited to something else.
        """
        if not certificate.exists() and not key.exists():
            cls._create(certificate, key, permitted)
        try:
            loaded_key = serialization.load_pem_private_key(read_private(key), password=None)
        except Shared as error:
            raise FileError(Location(str(key)), f"the CA key cannot be read: {error}", f"chmod 0600 {key}") from None
        except (OSError, ValueError, TypeError) as error:
            raise FileError(Location(str(key)), f"the CA key cannot be read: {error}", _KEY_FIX) from None
        try:
            loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        except (OSError, ValueError) as error:
            where = Location(str(certificate))
            raise FileError(where, f"the CA certificate cannot be read: {error}", _KEY_FIX) from None
        if not isinstance(loaded_key, ec.EllipticCurvePrivateKey):
            raise FileError(Location(str(key)), "the CA key is not an elliptic-curve key", "give a P-256 key")
        if loaded.public_key() != loaded_key.public_key():
            raise FileError(Location(str(key)), f"the CA key does not belong to {certificate}", _KEY_FIX)
        authority = cls(loaded, loaded_key)
        if set(authority.permitted.names()) != set(permitted):
            raise FileError(Location(str(certificate)), _limits(authority.permitted.names(), permitted), _LIMITS_FIX)
        return authority

    @property
    def certificate_pem(self) -> str:
        """What clients have to trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def leaf(self, names: tuple[str, ...]) -> Leaf:
        """A leaf for these DNS names and IP addresses, from the cache where one is valid and has a day left.

        The first is what the client asks for; of the others those are left out that the CA may not sign for.
        Raises NameRefused, ValueError for a name that is none.
        """
        names = self.permitted.select(names)
        now = datetime.datetime.now(datetime.UTC)
        cached = self._leaves.get(names)
        if cached is not None and LEAF_RENEWAL < cached[0] - now <= LEAF_LIFETIME + BACKDATE:
            self._leaves.move_to_end(names)
            return cached[1]
        leaf = self._mint(names, now)
        self._leaves[names] = (now + LEAF_LIFETIME, leaf)
        if len(self._leaves) > MAX_LEAVES:
            self._leaves.popitem(last=False)
        return leaf

    def _mint(self, names: tuple[str, ...], now: datetime.datetime) -> Leaf:
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LEAF_SUBJECT)]))
            .issuer_name(self._certificate.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(now + LEAF_LIFETIME)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM).decode() + self.certificate_pem
        return Leaf(chain, _private_pem(self._leaf_key).decode())

    @staticmethod
    def _create(certificate: Path, key: Path, permitted: tuple[str, ...]) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hostagent CA of {os.uname().nodename}"[:64])])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(now + CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        )
        if (constraints := extension(permitted)) is not None:
            builder = builder.add_extension(constraints, critical=True)
        built = builder.sign(private, hashes.SHA256())
        try:
            certificate.parent.mkdir(parents=True, exist_ok=True)
            key.parent.mkdir(parents=True, exist_ok=True)
            make_private(key, _private_pem(private))
            certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        except OSError as error:
            raise FileError(Location(str(key)), f"the CA cannot be written: {error}", _KEY_FIX) from None


_KEY_FIX = "give the supervisor a readable certificate and key, or remove both files to have a new CA made"

_LIMITS_FIX = "make both say the same, or remove the certificate and the key to have a new CA made, and install that"

_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _limits(actual: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    said = [", ".join(names) or "every name" for names in (actual, wanted)]
    return f"the CA certificate permits {said[0]}, and `ca.permitted` says {said[1]}"


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
