"""What a support bundle consists of: one item a file, each through the sieves of `redact` before anybody sees it.

An item that cannot be had says why in its place: a bundle of a broken host is the one that is needed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import hostagent
from hostagent.cli.control_client import call, socket_path
from hostagent.cli.redact import Redaction, secret_files, secrets_in
from hostagent.daemon.config import Config, load_config
from hostagent.errors import FileError, HostError
from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.hooks import PINS
from hostagent.kernel.routes import PROTOCOL
from hostagent.policy.yaml import parse, read_text
from hostagent.recording.directory import DEFAULT_STATE, Directory, journal_files

UNIT = "hostagentd.service"
COMMAND_SECONDS = 20.0
MAX_TEXT = 8 << 20  # characters of one item; the end of it is kept
_UNIT_FACTS = "ActiveState,SubState,Result,NRestarts,ExecMainStatus,UnitFileState,ActiveEnterTimestamp,StatusText"
_CREDENTIALS = Path("/run/credentials") / UNIT
_PROGRAMS = (("nft", "--version"), ("ip", "-V"), ("systemctl", "--version"), ("bpftool", "version"))


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the bundle."""

    name: str
    about: str
    content: str


class Host:
    """This host, as far as a bundle looks at it."""

    def __init__(self, config_file: Path, control: Path | None, lines: int, statements: int) -> None:
        self.config_file = config_file
        self.lines = lines
        self.statements = statements
        self._control = control

    @cached_property
    def config(self) -> Config | None:
        """hostagent.yaml, or None where it is not right."""
        try:
            return load_config(self.config_file)
        except (FileError, OSError):
            return None

    @property
    def instance(self) -> str:
        """Its name."""
        return self.config.instance if self.config else "hostagent"

    @property
    def state(self) -> Path:
        """Its state directory."""
        return self.config.state_directory if self.config else DEFAULT_STATE

    @property
    def policies(self) -> list[Path]:
        """Its policy files."""
        directory = self.config.policy_directory if self.config else self.config_file.parent / "policies.d"
        return sorted(directory.glob("*.yaml"))

    @cached_property
    def redaction(self) -> Redaction:
        """The sieves, with every secret that this host's files name."""
        named = [path for file in (self.config_file, *self.policies) for path in secret_files(data_of(file))]
        own = [*self.state.glob("*.key"), *self.state.glob("ca/*.key")]
        if self.config:
            own += [self.config.ca_key, self.config.ssh_ca_key]
        handed = _CREDENTIALS.iterdir() if os.access(_CREDENTIALS, os.R_OK | os.X_OK) else ()
        return Redaction(secrets_in([*named, *own, *handed]))

    def ask(self, operation: str) -> dict[str, Any]:
        """What the daemon answers. Raises HostError."""
        control = self._control or (self.config.control_socket if self.config else None)
        return call(socket_path(control), operation)


def items(host: Host) -> Iterator[Item]:
    """All items, redacted."""
    for name, about, gather in _ITEMS:
        try:
            text = gather(host)
        except (HostError, FileError, OSError, subprocess.SubprocessError) as error:
            text = f"not to be had: {error}\n"
        if text:
            yield Item(name, about, host.redaction.text(text[-MAX_TEXT:]))


def data_of(file: Path) -> Any:
    """What stands in a YAML file, without its comments; None for one that is not right."""
    try:
        return parse(read_text(file), str(file))[0]
    except (FileError, OSError):
        return None


def _run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        timeout=COMMAND_SECONDS, check=False, env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout + (f"status {done.returncode}: {done.stderr}" if done.returncode else "")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _versions(_: Host) -> str:
    lines = [f"hostagent {hostagent.__version__}", f"python {platform.python_version()}", " ".join(os.uname())]
    release = Path("/etc/os-release")
    lines += release.read_text().splitlines() if release.is_file() else []
    for command in _PROGRAMS:
        try:
            lines += _run(*command).splitlines()[:1]
        except FileNotFoundError:
            lines.append(f"{command[0]} is not installed")
    lines += sorted(f"{d.metadata['Name']} {d.version}" for d in distributions())
    return "\n".join(lines) + "\n"


def _asked(operation: str) -> Callable[[Host], str]:
    def gather(host: Host) -> str:
        return _json(host.redaction.data(host.ask(operation)))

    return gather


def _metrics(host: Host) -> str:
    return str(host.ask("metrics")["text"])


def _config(host: Host) -> str:
    data = data_of(host.config_file)
    if data is None:
        return f"{host.config_file} is not there or not right: hostagentd check\n"
    return _json(host.redaction.data(data))


def _policies(host: Host) -> str:
    found = {}
    for file in host.policies:
        data = data_of(file)
        found[str(file)] = "not right: hostagent policy check" if data is None else host.redaction.data(data)
    return _json(found)


def _nftables(host: Host) -> str:
    name = "hostagent" if host.instance == "hostagent" else f"hostagent_{host.instance}"
    return _run("nft", "list", "table", "inet", name)


def _routing(host: Host) -> str:
    table = host.config.routing_table if host.config else PROTOCOL
    parts = []
    for family in ("-4", "-6"):
        parts += [f"# ip {family} rule\n", _run("ip", family, "rule")]
        parts += [f"# ip {family} route show table {table}\n", _run("ip", family, "route", "show", "table", str(table))]
    return "".join(parts)


def _programs(_: Host) -> str:
    pins = sorted(PINS.rglob("*")) if PINS.is_dir() else []
    lines = [f"{'directory' if path.is_dir() else 'pin'} {path}" for path in pins] or [f"no pins in {PINS}"]
    try:
        lines += ["# bpftool link show", _run("bpftool", "link", "show")]
    except FileNotFoundError:
        lines.append("bpftool is not installed")
    return "\n".join(lines) + "\n"


def _cgroups(host: Host) -> str:
    root = find_cgroup2_root()
    lines = [f"cgroup v2 is mounted at {root}"]
    for top in (root / f"hostagent-{host.instance}", root / "system.slice" / UNIT):
        for directory, _, _ in os.walk(top):
            count = len((Path(directory) / "cgroup.procs").read_text().split())
            lines.append(f"{directory}: {count} processes")
    return "\n".join(lines) + "\n"


def _records(host: Host) -> str:
    directory = Directory(host.state)
    lines = [f"{file.path.name} {file.path.stat().st_size} bytes" for file in journal_files(directory.journal)]
    sizes = [path.stat().st_size for path in directory.recordings()]
    free = os.statvfs(host.state)
    lines += [f"{len(sizes)} session recordings, {sum(sizes)} bytes", f"{free.f_bavail * free.f_frsize} bytes free"]
    return "\n".join(lines) + "\n"


def _unit(_: Host) -> str:
    return _run("systemctl", "show", UNIT, f"--property={_UNIT_FACTS}")


def _log(host: Host) -> str:
    return _run("journalctl", f"--unit={UNIT}", f"--lines={host.lines}", "--output=short-iso-precise", "--no-pager")


def _statements(host: Host) -> str:
    if not host.statements:
        return ""
    from hostagent.cli.events import open_index
    from hostagent.recording.store import Filter

    directory, lines = Directory(host.state), []
    for stored in open_index(directory).query_events(Filter(), host.statements):
        with (directory.journal / stored.file).open("rb") as journal:
            journal.seek(stored.offset)
            lines.append(journal.read(stored.length).decode("utf-8", "replace"))
    return "\n".join(lines) + "\n"


_ITEMS: tuple[tuple[str, str, Callable[[Host], str]], ...] = (
    ("versions.txt", "hostagent, kernel, distribution, programs, libraries", _versions),
    ("doctor.json", "every check with its evidence, made now", _asked("doctor")),
    ("status.json", "what the daemon says of itself", _asked("status")),
    ("metrics.txt", "its metrics", _metrics),
    ("hostagent.json", "hostagent.yaml, redacted", _config),
    ("policies.json", "policy files, redacted", _policies),
    ("policy-in-force.json", "the policy that decides now, redacted", _asked("policy.show")),
    ("nftables.txt", "our table", _nftables),
    ("routing.txt", "rules, and our routing table", _routing),
    ("bpf.txt", "pinned programs, links and maps", _programs),
    ("cgroups.txt", "our cgroups", _cgroups),
    ("records.txt", "names and sizes of what is recorded; nothing of it", _records),
    ("unit.txt", "state of the systemd unit; not its environment", _unit),
    ("log.txt", "the last lines of the daemon's log", _log),
    ("events.ndjson", "the last events WITH statements, as --with-statements asks", _statements),
)
