"""Targets: the destinations that actors may be let through to."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hostagent.policy.fields import HostNames, Networks, Ports
from hostagent.policy.host_keys import HostKeys
from hostagent.policy.login import SecretFile, Tls
from hostagent.policy.section import Name, Section
from hostagent.values.target import ClientAuth


class TargetMatch(Section):
    """Which destinations a target covers. Fields that are given must all match; a list matches when one value does."""

    hosts: HostNames | None = Field(None, description="Names that the destination is reached by.")
    addresses: Networks | None = Field(None, description="Addresses or networks in CIDR form.")
    ports: Ports | None = Field(None, description="TCP ports; all when absent.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.hosts and not self.addresses:
            raise ValueError("`hosts` or `addresses` is needed")
        return self


class TargetEntry(Section):
    """A destination that actors may be let through to."""

    name: Name = Field(description="What rules call this target.")
    protocol: Literal["postgres", "mysql", "ssh"] = Field(description="What is spoken there.")
    match: TargetMatch = Field(description="Which destinations this is.")
    tls: Tls = Field(Tls.model_validate({}), description="Protection of the upstream leg; default verify-full.")
    credential: Name | None = Field(
        None, description="Credential to log in with; without one the client's own authentication is relayed."
    )
    client_auth: ClientAuth = Field(
        ClientAuth.TRUST,
        description="trust: clients are let in at once, the kernel says who they are; scram: with a placeholder.",
    )
    placeholder_password: SecretFile | None = Field(
        None, description="Where the password is that clients show under `client_auth: scram`; the server's it is not."
    )
    host_keys: HostKeys | None = Field(
        None, description="`protocol: ssh`: which host keys the server may show; needed there, and there alone."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.protocol == "ssh":
            return self._check_ssh()
        if self.host_keys is not None:
            raise ValueError("`host_keys` goes with `protocol: ssh`: what other servers show, `tls` verifies")
        if self.protocol == "mysql" and (self.client_auth is ClientAuth.SCRAM or self.placeholder_password is not None):
            raise ValueError("`client_auth: scram` goes with `protocol: postgres`: MySQL clients prove nothing")
        if (self.client_auth is ClientAuth.SCRAM) != (self.placeholder_password is not None):
            raise ValueError("`client_auth: scram` and `placeholder_password` go together")
        if self.client_auth is ClientAuth.SCRAM and self.credential is None:
            raise ValueError("`client_auth: scram` needs a `credential`: the placeholder is no password of the server")
        return self

    def _check_ssh(self) -> Self:
        if given := sorted(self.model_fields_set & {"tls", "client_auth", "placeholder_password"}):
            raise ValueError(f"`{given[0]}` does not go with `protocol: ssh`: `host_keys` verify the server")
        if self.host_keys is None:
            raise ValueError("`host_keys` is needed: a server of `protocol: ssh` is verified by them")
        if self.credential is None:
            raise ValueError("`credential` is needed: what a client logs in with over SSH cannot be passed on")
        return self
