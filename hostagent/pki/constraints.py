"""Name constraints of the host CA (RFC 5280 section 4.2.1.10): the domains and networks that it may sign for.

A CA that every process of the host trusts is worth stealing; one that may sign for the databases' domain alone is worth
less. Clients enforce the constraint that stands in the certificate; we refuse before, with a clear error, by the same
certificate. A kind of name (DNS, IP) is constrained once one subtree of it is given, and free otherwise.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from hostagent.errors import HostError

PROBE_NAME = "trust-probe.hostagent.invalid"  # `hostagent ca status` asks runtimes with it; .invalid never resolves
PROBE_DOMAIN = "hostagent.invalid"  # so every constrained CA may sign for it (RFC 6761 section 6.4)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NameRefused(HostError):
    """The host CA may not sign for a name."""


def permitted_name(text: str) -> str:
    """A domain (it stands for itself and all below it) or a network in CIDR form. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        if "/" in text or ":" in text:
            raise ValueError(f"{text!r} is no network: write it as 10.0.0.0/8") from None
    name = text.removeprefix(".").removesuffix(".").lower()
    if not name or not all(part and len(part) < 64 and part.replace("-", "").isalnum() for part in name.split(".")):
        raise ValueError(f"{text!r} is no domain: write it as corp.example")
    if not name.isascii():
        raise ValueError(f"{text!r} is not ASCII: write the domain as it stands in DNS (xn--…)")
    return name


def extension(permitted: Iterable[str]) -> x509.NameConstraints | None:
    """The extension that permits these (as `permitted_name` gives them), or None when nothing is constrained."""
    names: list[x509.GeneralName] = []
    for text in dict.fromkeys(permitted):
        try:
            names.append(x509.IPAddress(ipaddress.ip_network(text)))
        except ValueError:
            names.append(x509.DNSName(text))
    if any(isinstance(name, x509.DNSName) for name in names):
        names.append(x509.DNSName(PROBE_DOMAIN))
    return x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None) if names else None


class Permitted:
    """What a CA certificate permits; nothing in `domains` (or `networks`) means every name of that kind."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self.domains: tuple[str, ...] = ()
        self.networks: tuple[Network, ...] = ()
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return
        subtrees = constraints.permitted_subtrees or []
        self.domains = tuple(name.value.lower() for name in subtrees if isinstance(name, x509.DNSName))
        self.networks = tuple(_network(name.value) for name in subtrees if isinstance(name, x509.IPAddress))

    def names(self) -> tuple[str, ...]:
        """The subtrees as the configuration writes them, without our own."""
        return (*(name for name in self.domains if name != PROBE_DOMAIN), *map(str, self.networks))

    def permits(self, name: str) -> bool:
        """Whether a leaf may carry this DNS name or IP address."""
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            lowered = name.lower().rstrip(".")
            return not self.domains or any(lowered == d or lowered.endswith(f".{d}") for d in self.domains)
        return not self.networks or any(address in network for network in self.networks)

    def select(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names that a leaf may carry. Raises NameRefused when the first, which the client asks for, may not."""
        if not self.permits(names[0]):
            raise NameRefused(
                f"the host CA may not sign for {names[0]}: it is limited to {', '.join(self.names())}",
                "add it to `ca.permitted` of hostagent.yaml, remove the CA's two files, and install the new CA",
            )
        return tuple(name for name in names if self.permits(name))


def _network(value: object) -> Network:
    assert isinstance(value, Network)  # an address alone is not what a constraint holds
    return value
