"""The order in which the kernel's part comes into force, drift, and refusals; with kernels that are not there."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostagent.daemon import governing
from hostagent.daemon.config import Config, Govern
from hostagent.daemon.counts import Counts
from hostagent.daemon.governing import Governing
from hostagent.daemon.host_events import HostEvents
from hostagent.daemon.places import Places
from hostagent.errors import HostError
from hostagent.kernel.flows import Refusal
from hostagent.recording.journal import Journal
from hostagent.values.flow import Endpoint


class Kernel:
    """Stands for hooks, redirect and interfaces; notes what is done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.missing: list[str] = []
        self.gone: list[str] = []
        self.mends = True
        self.waiting: list[Refusal] = []
        self.refusals_fd, self.told = os.pipe()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def note(*args: object) -> None:
            self.done.append(" ".join([name, *map(str, args)]))

        return note

    def load(self, *_: object, proxy_port: int) -> Kernel:
        self.done.append(f"load {proxy_port}")
        return self

    def verify(self) -> list[str]:
        return [*self.missing]

    def reattach(self) -> None:
        self.done.append("reattach")
        if not self.mends:
            raise HostError("not permitted")
        self.missing.clear()

    def refusals(self) -> list[Refusal]:
        os.read(self.refusals_fd, 1)
        taken, self.waiting = self.waiting, []
        return taken

    def refresh(self) -> list[str]:
        self.done.append("refresh")
        return []


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(governing, "Hooks", kernel)
    monkeypatch.setattr(governing, "Interfaces", lambda *_: kernel)
    monkeypatch.setattr(governing, "Redirect", lambda *_, **__: Redirect(kernel))
    monkeypatch.setattr(governing, "sweep", lambda _: kernel.done.append("sweep") or 3)
    return kernel


class Redirect:
    """The redirect's part of the kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def apply(self) -> None:
        self._kernel.done.append("redirect")
        self._kernel.gone.clear()

    def verify(self) -> list[str]:
        return [*self._kernel.gone]


def make(tmp_path: Path, **settings: Any) -> tuple[Governing, Counts, HostEvents]:
    counts = Counts()
    events = HostEvents(Journal(tmp_path, "host"), counts)
    govern = settings.pop("govern", Govern(cgroups=("/runner.slice",)))
    config = Config(govern=govern, resolvers=(), **settings)
    return Governing(config, Places("x", Path("/cg")), tmp_path, counts, events), counts, events


def written(tmp_path: Path) -> list[str]:
    return [json.dumps(json.loads(line)) for file in tmp_path.glob("*.ndjson") for line in file.open()]


def test_hooks_are_in_force_before_the_redirect_and_the_sweep_is_last(kernel: Kernel, tmp_path: Path) -> None:
    governing, counts, _ = make(tmp_path, container_interfaces=("docker0",))
    governing.begin()
    assert [step.split()[0] for step in kernel.done] == [
        "load", "govern", "exempt", "set_resolvers", "attach", "redirect", "refresh", "sweep",
    ]  # fmt: skip
    assert counts.swept == 3


def test_what_is_governed_and_what_is_not(kernel: Kernel, tmp_path: Path) -> None:
    governing, *_ = make(tmp_path, govern=Govern.model_validate({"everything_under": "/", "except": ("/a.service",)}))
    governing.begin()
    ours = "'/hostagent-x/run', '/hostagent-x/canary', '/hostagent-x/analyzers'"
    assert f"govern ['/', {ours}]" in kernel.done
    exempt = "'/hostagent-x/supervisor', '/hostagent-x/workers', '/init.scope', '/a.service'"
    assert f"exempt [{exempt}]" in kernel.done


def test_what_was_changed_is_put_back_and_told(kernel: Kernel, tmp_path: Path) -> None:
    governing, counts, _ = make(tmp_path)
    governing.begin()
    assert asyncio.run(governing.verify()) == []
    assert counts.drift == 0
    kernel.missing, kernel.gone = ["connect4"], ["IPv6 rule is gone"]
    assert asyncio.run(governing.verify()) == ["connect4", "IPv6 rule is gone"]
    assert kernel.done[-2:] == ["reattach", "redirect"]
    assert (counts.drift, counts.last_drift) == (2, "connect4; IPv6 rule is gone")
    assert asyncio.run(governing.verify()) == []
    (event,) = written(tmp_path)
    assert "connect4" in event


def test_resolvers_that_the_host_learns_later_are_followed(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    governing, *_ = make(tmp_path)
    known = ["127.0.0.53"]
    monkeypatch.setattr(Config, "resolver_addresses", lambda _: list(known))
    governing.begin()
    asyncio.run(governing.verify())
    known.append("10.0.0.2")
    asyncio.run(governing.verify())
    told = [step for step in kernel.done if step.startswith("set_resolvers")]
    assert told == ["set_resolvers ['127.0.0.53']", "set_resolvers ['127.0.0.53', '10.0.0.2']"]


def test_drift_that_stays_is_told_again(kernel: Kernel, tmp_path: Path) -> None:
    governing, counts, _ = make(tmp_path)
    governing.begin()
    kernel.missing, kernel.mends = ["connect4"], False
    for _ in range(2):
        asyncio.run(governing.verify())
    assert counts.drift == 2
    assert "not permitted" in counts.last_error
    assert sum("drift_stays" in event for event in written(tmp_path)) == 2


def test_refusals_are_counted_and_told(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        governing, "path_of", lambda number, _: {7: "/runner.slice", 9: "/hostagent-x/canary"}.get(number)
    )
    ours, counts, events = make(tmp_path)

    def refusal(reason: str, cgroup: int, destination: Endpoint | None = None) -> Refusal:
        return Refusal(1, reason, 42, 1000, "curl", cgroup, 17, destination)

    async def scenario() -> None:
        ours.begin()
        reading = asyncio.ensure_future(ours.refusals())
        kernel.waiting = [refusal("connect_udp", 7, Endpoint("8.8.8.8", 443))] * 5 + [
            refusal("create_protocol", 8),
            refusal("connect_udp", 9),
        ]
        await asyncio.sleep(0)
        os.write(kernel.told, b"x")
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.wait([reading])

    asyncio.run(scenario())
    events.flush()
    assert counts.refused == {"connect_udp": 5, "create_protocol": 1}
    udp, raw, canary = written(tmp_path)
    assert "as it must be" in canary  # expected, told, and no alarm
    assert "/runner.slice" in udp
    assert "8.8.8.8" in udp
    assert '"times": 5' in udp
    assert "id 8" in raw
