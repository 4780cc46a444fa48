"""Which host keys an SSH server may show: `host_keys:` of a target. Keys are public: they may stand in the file."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hostagent.policy.section import AbsolutePath, HostName, Section, Strict

FINGERPRINT = "SHA256:"
_DIGEST_BYTES = 32
MAX_KEYS = 100


def _public_key(value: str) -> str:
    words = value.split()
    if len(words) < 2 or "PRIVATE" in value:
        raise ValueError("a public key as OpenSSH writes it is needed: ssh-ed25519 AAAA…")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        blob = b""
    named = words[0].encode()
    if blob[: 4 + len(named)] != len(named).to_bytes(4, "big") + named:
        raise ValueError(f"what follows {words[0]} is not such a key")
    return " ".join(words[:2])


def _pin(value: str) -> str:
    if not value.startswith(FINGERPRINT):
        return _public_key(value)
    digest = value.removeprefix(FINGERPRINT).rstrip("=")
    try:
        good = len(base64.b64decode(digest + "=", validate=True)) == _DIGEST_BYTES
    except binascii.Error:
        good = False
    if not good:
        raise ValueError("a fingerprint as `ssh-keygen -l` prints it is needed: SHA256:… of 43 characters")
    return FINGERPRINT + digest


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


_Bounds = Field(strict=False, min_length=1, max_length=MAX_KEYS)
PublicKey = Annotated[str, Strict, AfterValidator(_public_key)]
Pin = Annotated[str, Strict, AfterValidator(_pin)]
PublicKeys = Annotated[tuple[PublicKey, ...], BeforeValidator(_many, str | list[str]), _Bounds]
Pins = Annotated[tuple[Pin, ...], BeforeValidator(_many, str | list[str]), _Bounds]


class HostKeys(Section):
    """Which host keys are taken for the server's: any that one of these fields vouches for."""

    known_hosts: AbsolutePath | None = Field(
        None, description="File in the format of sshd(8)'s known_hosts, with @cert-authority and @revoked."
    )
    ca: PublicKeys | None = Field(None, description="Public keys of CAs that sign host certificates.")
    pinned: Pins | None = Field(None, description="Host keys: fingerprints (SHA256:…) or public keys.")
    server_name: HostName | None = Field(
        None, description="Name that a host certificate must carry; default the host that matched, else the address."
    )
    first_use: bool = Field(
        False, description="Take the first key that a host without a known one shows, and keep to it from then on."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.known_hosts or self.ca or self.pinned or self.first_use):
            raise ValueError("`known_hosts`, `ca`, `pinned` or `first_use: true` is needed: no key is trusted unseen")
        return self
