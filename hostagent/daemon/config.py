"""`hostagent.yaml`: what this host governs, and where the daemon keeps its things.

Every key has a default but `govern`: which processes are governed is the one thing that nobody can guess. Unknown
and duplicate keys are refused with file:line:col.
"""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyAddress, model_validator

from hostagent.approvals.config import ApprovalsConfig, LoopbackAddress
from hostagent.errors import FileError, Location
from hostagent.kernel import patterns
from hostagent.pki.constraints import permitted_name
from hostagent.policy.yaml import read_model
from hostagent.recording.directory import Directory

DEFAULT_FILE = Path("/etc/hostagent/hostagent.yaml")
MAX_DEFAULT_WORKERS = 4  # what a runner host sends to databases keeps no more of them busy
LOCAL_RESOLVER = "127.0.0.53"  # systemd-resolved's stub
_RESOLV_CONF = Path("/etc/resolv.conf")


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("an absolute path is needed")
    return path


def _cgroup(text: str) -> str:
    return patterns.compile(text).text


def _half_of_the_cores() -> int:
    """Clients need the rest: on two cores that they share, one worker carries more than two, at half the CPU."""
    return max(1, min((os.cpu_count() or 1) // 2, MAX_DEFAULT_WORKERS))


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
PermittedName = Annotated[str, AfterValidator(permitted_name)]
CgroupPattern = Annotated[str, AfterValidator(_cgroup)]


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no silent conversion, immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Govern(Section):
    """Which processes are governed, by their cgroup. Everything below a governed cgroup is governed too."""

    cgroups: tuple[CgroupPattern, ...] = Field(
        (), description="patterns such as /system.slice/actions.runner.*.service"
    )
    everything_under: CgroupPattern | None = Field(
        default=None, description="govern this whole subtree; / is the whole host"
    )
    exempt: tuple[CgroupPattern, ...] = Field(default=(), alias="except", description="cgroups left alone within it")

    @model_validator(mode="after")
    def _governs_something(self) -> Self:
        if not self.cgroups and self.everything_under is None:
            raise ValueError("nothing is governed: give `cgroups` or `everything_under`")
        if self.exempt and self.everything_under is None:
            raise ValueError("`except` goes with `everything_under`")
        return self


class Users(Section):
    """Who the unprivileged processes run as: a name, or a number that needs no passwd entry."""

    worker: str | int = "hostagent-worker"
    analyzer: str | int = "hostagent-analyzer"


class Ca(Section):
    """The host CA; both files are made at the first start. Default: in the state directory."""

    certificate: AbsolutePath | None = None
    key: AbsolutePath | None = None
    ssh_key: AbsolutePath | None = Field(default=None, description="key of the SSH CA; made at the first start")
    permitted: tuple[PermittedName, ...] = Field(
        default=(), description="name constraints: the domains and networks that it may sign for; empty: every name"
    )


class Recording(Section):
    """Limits of a session recording."""

    max_session_bytes: int = Field(default=256 << 20, gt=0, description="a recording beyond this ends its session")


class Retention(Section):
    """How long events and recordings stay; whichever is reached first."""

    days: int = Field(default=30, gt=0)
    max_bytes: int = Field(default=10 << 30, gt=0)


class Metrics(Section):
    """Where metrics are asked for: always at a unix socket for the group `hostagent`, and where `listen` says."""

    listen: LoopbackAddress | None = Field(
        default=None, description="and at this loopback address, such as 127.0.0.1:9477, for any process of the host"
    )


class Config(Section):
    """The whole file."""

    instance: str = Field(
        default="hostagent", pattern=r"^[a-z][a-z0-9_-]{0,23}$", description="names table, pins and cgroups"
    )
    port: int = Field(default=15001, gt=0, lt=65536, description="where the transparent listeners are, on loopback")
    routing_table: int = Field(
        default=177, gt=0, lt=253, description="the routing table that leads redirected packets to lo"
    )
    govern: Govern
    container_interfaces: tuple[str, ...] = Field(
        default=(), description="bridges whose forwarded traffic is taken too"
    )
    resolvers: tuple[IPvAnyAddress, ...] | None = Field(
        default=None, description="DNS servers governed processes may ask"
    )
    workers: int = Field(default_factory=_half_of_the_cores, gt=0, le=64)
    analyzers: int = Field(default=1, gt=0, le=64)
    users: Users = Users()
    state_directory: AbsolutePath = Path("/var/lib/hostagent")
    runtime_directory: AbsolutePath = Path("/run/hostagent")
    policy_directory: AbsolutePath = Path("/etc/hostagent/policies.d")
    ca: Ca = Ca()
    recording: Recording = Recording()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    approvals: ApprovalsConfig = ApprovalsConfig.model_validate({})
    drain_seconds: float = Field(default=10.0, ge=0, le=300, description="how long open sessions may go on at a stop")

    @property
    def ca_certificate(self) -> Path:
        """The file of the CA certificate that clients trust."""
        return self.ca.certificate or self.state_directory / "ca" / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The file of the CA key; readable by the daemon alone."""
        return self.ca.key or self.state_directory / "ca" / "ca.key"

    @property
    def ssh_ca_key(self) -> Path:
        """The file of the SSH CA key; readable by the daemon alone."""
        return self.ca.ssh_key or self.state_directory / "ca" / "ssh_ca.key"

    @property
    def ssh_first_use(self) -> Path:
        """Where host keys are kept that were taken at their first use."""
        return self.state_directory / "ssh_first_use"

    @property
    def recording_directory(self) -> Path:
        """Where workers write events and sessions; the one place they can write to."""
        return Directory(self.state_directory).journal.parent

    @property
    def control_socket(self) -> Path:
        """Where `hostagent` reaches the daemon."""
        return self.runtime_directory / "control.sock"

    @property
    def metrics_socket(self) -> Path:
        """Where metrics are asked for."""
        return self.runtime_directory / "metrics.sock"

    @property
    def analyzer_socket(self) -> Path:
        """Where workers reach an analyzer."""
        return self.runtime_directory / "analyzer.sock"

    def resolver_addresses(self) -> list[str]:
        """The DNS servers that governed processes may ask over UDP."""
        if self.resolvers is not None:
            return [str(address) for address in self.resolvers]
        return _system_resolvers()


def load_config(path: Path) -> Config:
    """The configuration in a file. Raises FileError with file:line:col."""
    return read_model(path, Config)


def user_ids(user: str | int, file: Path) -> tuple[int, int]:
    """(uid, gid) of a user that `file` gives by name or number. Raises FileError for an unknown name, and for root."""
    where = Location(str(file))
    if isinstance(user, str) and not user.isdigit():
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            fix = "make it (systemd-sysusers does, from sysusers.d/hostagent.conf), or give a number"
            raise FileError(where, f"users: no user is called {user!r}", fix) from None
        ids = (entry.pw_uid, entry.pw_gid)
    else:
        ids = (int(user), int(user))
    if 0 in ids:
        raise FileError(where, f"users: {user!r} is root", "workers and analyzers need a user of their own")
    return ids


def group_id(name: str) -> int | None:
    """The gid of a group, or None where the host has no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _system_resolvers() -> list[str]:
    addresses = [LOCAL_RESOLVER]
    try:
        lines = _RESOLV_CONF.read_text("utf-8", "replace").splitlines()
    except OSError:
        return addresses
    for words in (line.split() for line in lines):
        if len(words) > 1 and words[0] == "nameserver" and words[1] not in addresses and "%" not in words[1]:
            addresses.append(words[1])
    return addresses
