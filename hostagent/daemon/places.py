"""Where an instance lives: its cgroups and directories.

    /hostagent-<instance>/run/<id>     commands started by `hostagent run`, governed
    /hostagent-<instance>/canary       the canary, governed
    /hostagent-<instance>/workers      exempt; the only processes that reach the real destinations
    /hostagent-<instance>/supervisor   exempt; whose children would otherwise be governed wherever they move
    /hostagent-<instance>/analyzers    governed as well: an analyzer has no business on the network

Started by systemd with Delegate=, the supervisor stays in its unit's cgroup, and workers and analyzers live below it,
so that the unit's limits and kill rules hold for them. The unit as a whole is then exempt.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from hostagent.daemon.config import Config
from hostagent.errors import HostError

_OWN_CGROUP = Path("/proc/self/cgroup")
_RECORDS_MODE = 0o2750
_ID = re.compile(r"[a-z0-9]{1,32}")


class Places:
    """The cgroup paths of an instance (from the v2 root, as policy and events show them) and their directories."""

    def __init__(self, instance: str, root: Path, delegated: str = "") -> None:
        """`root` is where cgroup v2 is mounted; `delegated` our own cgroup when it was delegated to us."""
        self.root = root
        self.base = f"/hostagent-{instance}"
        self.supervisor = delegated or f"{self.base}/supervisor"
        self.workers = f"{delegated or self.base}/workers"
        self.analyzers = f"{delegated or self.base}/analyzers"
        self.canary = f"{self.base}/canary"
        self.runs = f"{self.base}/run"
        self._came_from = ""

    def directory(self, cgroup: str) -> Path:
        """The directory of a cgroup path."""
        return self.root / cgroup.lstrip("/")

    @property
    def governed(self) -> tuple[str, ...]:
        """What is governed beside what the configuration says."""
        return (self.runs, self.canary, self.analyzers)

    @property
    def exempt(self) -> tuple[str, ...]:
        """What is left alone beside what the configuration says."""
        return (self.supervisor, self.workers)

    def make(self) -> None:
        """Make the cgroups. Raises HostError."""
        for cgroup in (self.supervisor, self.workers, self.analyzers, self.canary, self.runs):
            self._make(cgroup)

    def enter(self) -> None:
        """Move this process to the supervisor's cgroup. Raises HostError."""
        self._came_from = _own_cgroup()
        self._move(self.supervisor)

    def leave(self) -> None:
        """Move this process back to where it came from."""
        if self._came_from:
            self._move(self._came_from)

    def _move(self, cgroup: str) -> None:
        try:
            (self.directory(cgroup) / "cgroup.procs").write_text("0")
        except OSError as error:
            what = f"the daemon cannot move to the cgroup {cgroup}: {error.strerror}"
            raise HostError(what, "cgroup v2 must be mounted writable") from None

    def make_run(self, run: str) -> str:
        """Make the cgroup of one command; its path. Raises HostError, ValueError for an id that is none."""
        if not _ID.fullmatch(run):
            raise ValueError(f"not a run id: {run!r}")
        self._make(f"{self.runs}/{run}")
        return f"{self.runs}/{run}"

    def end_run(self, run: str) -> bool:
        """Remove the cgroup of a command; False while processes of it live on."""
        if not _ID.fullmatch(run):
            raise ValueError(f"not a run id: {run!r}")
        return _remove(self.directory(f"{self.runs}/{run}"))

    def remove(self) -> None:
        """Remove our cgroups where no process lives in them any more."""
        for base in (self.base, self.workers, self.analyzers):
            top = self.directory(base)
            for directory, _, _ in os.walk(top, topdown=False):
                _remove(Path(directory))

    def _make(self, cgroup: str) -> None:
        try:
            self.directory(cgroup).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = "cgroup v2 must be mounted writable"
            raise HostError(f"the cgroup {cgroup} cannot be made: {error.strerror}", hint) from None


def delegated_cgroup(environ: dict[str, str] | os._Environ[str] = os.environ) -> str:
    """Our own cgroup where systemd started us as a unit, else empty."""
    own = _own_cgroup() if "INVOCATION_ID" in environ else ""
    return own if own.endswith(".service") else ""


def _own_cgroup() -> str:
    for line in _OWN_CGROUP.read_text("utf-8").splitlines():
        number, _, path = line.split(":", 2)
        if number == "0":
            return path
    return ""


def make_directories(config: Config, worker: tuple[int, int], readers: int | None) -> None:
    """Make the state and runtime directories; only the recording directory is the worker user's. Raises HostError."""
    try:
        for directory in (config.state_directory, config.runtime_directory):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        config.ca_key.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        for directory in (
            config.recording_directory,
            *(config.recording_directory / n for n in ("journal", "sessions")),
        ):
            directory.mkdir(mode=0o750, exist_ok=True)
            os.chown(directory, worker[0], worker[1] if readers is None else readers)
            _let_group_read(directory)
    except OSError as error:
        what = f"{error.filename or config.state_directory}: {error.strerror}"
        raise HostError(what, "the daemon needs to write to its state and runtime directories") from None


def _let_group_read(directory: Path) -> None:
    """What is written there belongs to its group. A unit with RestrictSUIDSGID= may not even set the bit that is set
    already; below a directory that has it, a new one has it too."""
    if stat.S_IMODE(directory.stat().st_mode) != _RECORDS_MODE:
        directory.chmod(_RECORDS_MODE)


def _remove(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
