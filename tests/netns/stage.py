"""The stage of the way-out tests: hooks and redirect in force in a throw-away host, and clients sent out from it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hostagent.intake.listener import transparent_listeners
from hostagent.kernel.cgroups import find_cgroup2_root, path_in_tree
from hostagent.kernel.hooks import Hooks
from hostagent.kernel.redirect import Redirect
from tests.netns.topology import DATABASE, HERE, PORT, Lab, inside

OBJECTS = HERE.parents[1] / "bpf" / "build"
TABLE = HERE.parents[1] / "build" / "way-out.txt"
PROXY_PORT = 15001
CONTAINERS = ("box0", "br0")
NAMES = itertools.count()


@dataclass
class Stage:
    """A governed and a free cgroup in a host whose redirect leads to an acceptor."""

    lab: Lab
    hooks: Hooks
    redirect: Redirect
    top: Path
    clients: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.governed, self.free = self.top / "governed", self.top / "free"
        self.listeners = transparent_listeners(PROXY_PORT)
        self.acceptor = self.lab.accept(self.listeners)

    @property
    def pattern(self) -> str:
        """The pattern that governs `governed`."""
        return path_in_tree(self.governed, find_cgroup2_root())

    def send(
        self, form: str, cgroup: Path, family: int, *, address: str = "", netns: str = ""
    ) -> subprocess.Popen[str]:
        """Start a client that makes one attempt."""
        prefix = ("ip", "netns", "exec", netns) if netns else ()
        client = (sys.executable, "-I", str(HERE / "way_out_client.py"), form, address or DATABASE[family], str(PORT))
        started = subprocess.Popen(
            (*prefix, *client),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: move(0, cgroup),
        )
        self.clients.append(started)
        return started

    def attempt(
        self,
        form: str,
        cgroup: Path,
        family: int,
        *,
        meanwhile: Callable[[int], str | None] | None = None,
        address: str = "",
        netns: str = "",
    ) -> str:
        """What a client said; `meanwhile(pid)` runs while it waits, its answer is written to it."""
        client = self.send(form, cgroup, family, address=address, netns=netns)
        word = None
        if meanwhile is not None:
            assert client.stdout is not None
            ready = client.stdout.readline()
            assert ready == "waiting\n", ready
            word = (meanwhile(client.pid) or "") + "\n"
        said, _ = client.communicate(word, timeout=10)
        return said.strip()

    def let_go(self) -> None:
        """Nothing is governed, until `take`."""
        self.hooks.govern([])

    def take(self) -> None:
        """The governed cgroup is governed."""
        self.hooks.govern([self.pattern])

    def close(self) -> None:
        """End the clients and close the listeners."""
        for client in self.clients:
            client.kill()
            client.wait()
            for stream in (client.stdin, client.stdout):
                if stream is not None:
                    stream.close()
        for sock in self.listeners:
            sock.close()


def move(pid: int, cgroup: Path) -> None:
    """Put a process into a cgroup; 0 is ourselves."""
    (cgroup / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """A stage with everything in force; this thread is in the host's namespace meanwhile."""
    name = f"haw{os.getpid()}-{next(NAMES)}"
    top = find_cgroup2_root() / f"{name}.slice"
    lab = Lab(name)
    with contextlib.ExitStack() as undo:
        undo.callback(remove_cgroups, top)
        undo.callback(Hooks.remove_leftovers, name)
        undo.callback(lab.remove)
        for cgroup in ("governed/child", "free"):
            (top / cgroup).mkdir(parents=True)
        lab.make()
        undo.enter_context(inside(lab.host))
        hooks = Hooks.load(name, OBJECTS, proxy_port=PROXY_PORT)
        undo.callback(hooks.close)
        stage = Stage(lab, hooks, Redirect(name, PROXY_PORT, CONTAINERS), top)
        undo.callback(stage.close)
        stage.take()
        hooks.attach()
        stage.redirect.apply()
        yield stage


@pytest.fixture(scope="module")
def stage(kernel_lock: None) -> Iterator[Stage]:
    """One stage for a module whose tests leave it as it was."""
    with staged() as made:
        yield made


@pytest.fixture
def fresh_stage(kernel_lock: None) -> Iterator[Stage]:
    """A stage of one's own, to damage."""
    with staged() as made:
        yield made


def remove_cgroups(top: Path) -> None:
    """Remove a tree of cgroups in which nothing lives any more."""
    for directory, _, _ in os.walk(top, topdown=False):
        Path(directory).rmdir()


class Outcomes:
    """The table of forms and outcomes, written to build/way-out.txt; the end of the run counts them."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def lines(self) -> list[str]:
        """The table as text."""
        rows = [("way out", "family", "governed", "ungoverned"), *sorted(self.rows)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write it, and print how often each outcome was seen."""
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text("\n".join(self.lines()) + "\n")
        counts = Counter(governed.split(" ")[0] for _, _, governed, _ in self.rows)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        terminalreporter.section("ways out")
        terminalreporter.write_line(f"{len(self.rows)} tried: {told} ({TABLE.relative_to(TABLE.parents[1])})")


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Outcomes:
    """The one table of the run."""
    manager = request.config.pluginmanager
    if not manager.has_plugin("way-out"):
        manager.register(Outcomes(), "way-out")
    found: Outcomes = manager.get_plugin("way-out")
    return found


def governed_outcome(said: str) -> str:
    """`intercepted` or `refused (why)`; whatever a governed client says that is neither fails the test."""
    if said.startswith("INTERCEPTED "):
        return "intercepted"
    assert said == "nothing" or said.startswith("refused "), f"a governed process got out: {said!r}"
    return "refused (no answer)" if said == "nothing" else f"refused ({said.removeprefix('refused ')})"
