"""The section `approvals` of hostagent.yaml: where humans are told, and where their answers come in."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hostagent.policy.login import SecretFile
from hostagent.policy.section import AbsolutePath, Section, Strict


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  raises ValueError for one that is no number
    except ValueError:
        raise ValueError("not a URL: write https://HOST[:PORT]/PATH") from None
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or not value.isascii():
        raise ValueError("not a URL: write https://HOST[:PORT]/PATH")
    if not value.isprintable() or " " in value or parts.fragment:
        raise ValueError("a URL holds no blank and no fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("https is needed; http is for a forwarder on this host: http://127.0.0.1:PORT")
    return value


def _listen(value: str) -> str:
    try:
        address_of(value)
    except ValueError:
        raise ValueError("a loopback address and a port are needed, such as 127.0.0.1:8320") from None
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(listen: str) -> tuple[str, int]:
    """Address and port of `127.0.0.1:8320` or `[::1]:8320`. Raises ValueError, also for what is not loopback."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if ":" in host else host
    if not _is_loopback(host) or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(listen)
    return host, int(port)


LoopbackAddress = Annotated[str, Strict, AfterValidator(_listen)]


class WebhookConfig(Section):
    """A server that is told of requests, and may answer them."""

    url: Annotated[str, Strict, AfterValidator(_url)] | None = Field(
        None, description="Where each request and its end are sent, as signed JSON; https, or http on loopback."
    )
    ca_file: AbsolutePath | None = Field(None, description="CA certificates for the url; default the system's.")
    listen: LoopbackAddress | None = Field(
        None, description="Loopback address and port where signed answers are taken, such as 127.0.0.1:8320."
    )
    key: SecretFile = Field(description="Where the key of the signatures is; 16 bytes or more.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.url is None and self.listen is None:
            raise ValueError("`url` or `listen` is needed")
        return self


class ApprovalsConfig(Section):
    """How humans are asked."""

    webhook: WebhookConfig | None = Field(None, description="A server that is told, and may answer.")
