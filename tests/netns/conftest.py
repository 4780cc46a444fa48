"""What every test against the real kernel shares: one lock, a name of its own, and cgroups that are gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyroute2 import netns

from hostagent.kernel.cgroups import find_cgroup2_root, path_in_tree
from hostagent.kernel.hooks import Hooks
from hostagent.values.flow import Endpoint, FlowKey
from tests.lab import lock

OBJECTS = Path(__file__).parents[2] / "bpf" / "build"
PROXY_PORT = 15771
CLIENT = """
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM)
s.settimeout(float(sys.argv[3]))
try:
    code = s.connect_ex((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    code = error.errno
print(code, *s.getsockname()[:2], os.getpid(), flush=True)
"""
NAMES = itertools.count()

MakeCgroup = Callable[..., Path]
InCgroup = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def kernel_lock() -> Iterator[None]:
    """Hooks at the cgroup root and the nftables table are the whole machine's: one test module at a time."""
    with lock.kernel_lock():
        yield


@pytest.fixture
def instance(kernel_lock: None) -> Iterator[str]:
    """A name for one test's pins, tables and namespaces; the hooks under that name are removed at the end."""
    name = f"hat{os.getpid()}-{next(NAMES)}"
    yield name
    Hooks.remove_leftovers(name)


@pytest.fixture
def make_cgroup(kernel_lock: None) -> Iterator[MakeCgroup]:
    """`make_cgroup()` or `make_cgroup("a.slice/b.service")` → directory of a new cgroup below a top cgroup of the test.

    With `top_level=True` the name is used at the cgroup root itself. All of them go at the end, with what is in them.
    """
    root = find_cgroup2_root()
    top = root / f"hat{os.getpid()}-{next(NAMES)}.slice"
    made = [top]

    def make(name: str | None = None, *, top_level: bool = False) -> Path:
        path = (root if top_level else top) / (name or f"c{next(NAMES)}")
        path.mkdir(parents=True)
        if top_level:
            made.append(root / path.relative_to(root).parts[0])
        return path

    yield make
    for directory in made:
        _remove_tree(directory)


@pytest.fixture
def in_cgroup() -> Iterator[InCgroup]:
    """`in_cgroup(cgroup, "cmd", "arg", **popen)` → Popen of a command that is in the cgroup before it executes."""
    started: list[subprocess.Popen[str]] = []

    def start(cgroup: Path, *command: str, **options: object) -> subprocess.Popen[str]:
        def enter() -> None:
            (cgroup / "cgroup.procs").write_text("0")

        settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        process: subprocess.Popen[str] = subprocess.Popen(_texts(command), preexec_fn=enter, **settings)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def governed(make_cgroup: MakeCgroup) -> Path:
    """A cgroup that `hooks` governs, with all that is made below it."""
    return make_cgroup("agents.slice")


@pytest.fixture
def hooks(instance: str, governed: Path) -> Iterator[Hooks]:
    """Attached hooks of `instance` that govern `governed`; this process's network namespace is the daemon's."""
    loaded = Hooks.load(instance, OBJECTS, proxy_port=PROXY_PORT)
    loaded.govern([cgroup_name(governed)])
    loaded.attach()
    yield loaded
    loaded.close()


@pytest.fixture
def name_of() -> Callable[[Path], str]:
    """Directory of a cgroup → its path, as policies and records have it."""
    return cgroup_name


@dataclass(frozen=True)
class Attempt:
    """What a client process did: the errno of connect(), its address, the pid it believes to have, the flow's key."""

    code: int
    source: Endpoint
    pid: int
    key: FlowKey


@pytest.fixture
def connect(in_cgroup: InCgroup) -> Callable[..., Attempt]:
    """`connect(cgroup, address="127.0.0.1", port=9, prefix=(), wait=0.0)` → Attempt of a new process, which is gone.

    `prefix` is put before the command (nsenter, unshare); `wait` seconds for the answer, 0 = EINPROGRESS.
    """

    def attempt(
        cgroup: Path, address: str = "127.0.0.1", port: int = 9, *, prefix: Sequence[str] = (), wait: float = 0
    ) -> Attempt:
        process = in_cgroup(cgroup, *prefix, *client_command(address, port, wait))
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        code, source, source_port, pid = output.split()
        end = Endpoint(source.removeprefix("::ffff:"), int(source_port))
        return Attempt(int(code), end, int(pid), FlowKey(end, Endpoint(address.removeprefix("::ffff:"), port)))

    return attempt


@pytest.fixture
def client() -> Callable[..., tuple[str, ...]]:
    """`client(address, port, wait)` → the command that `connect` runs."""
    return client_command


@pytest.fixture
def island(instance: str) -> Iterator[tuple[str, ...]]:
    """A network namespace of its own with `lo` up; the value is the command prefix that enters it."""
    netns.create(instance)
    prefix = ("nsenter", f"--net=/run/netns/{instance}")
    subprocess.run([*prefix, "ip", "link", "set", "lo", "up"], check=True)
    yield prefix
    netns.remove(instance)


@pytest.fixture
def island_cookie(island: tuple[str, ...]) -> int:
    """The cookie of the island."""
    code = "from hostagent.kernel.hooks import own_netns_cookie; print(own_netns_cookie())"
    return int(subprocess.run([*island, sys.executable, "-c", code], check=True, capture_output=True).stdout)


def client_command(address: str = "127.0.0.1", port: int = 9, wait: float = 0) -> tuple[str, ...]:
    return sys.executable, "-c", CLIENT, address, str(port), str(wait)


def cgroup_name(cgroup: Path) -> str:
    return path_in_tree(cgroup, find_cgroup2_root())


def _texts(command: Sequence[object]) -> list[str]:
    return [str(word) for word in command]


def _remove_tree(top: Path) -> None:
    if not top.exists():
        return
    directories = [Path(d) for d, _, _ in os.walk(top, topdown=False)]
    for directory in directories:
        for pid in (directory / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for directory in directories:
        _remove(directory, deadline=time.monotonic() + 5)


def _remove(directory: Path, deadline: float) -> None:
    while True:
        try:
            directory.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
