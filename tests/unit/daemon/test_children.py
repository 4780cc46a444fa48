"""A child is where and who it should be before its first instruction; real processes in a real cgroup."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from hostagent.daemon.children import start_confined
from hostagent.daemon.places import Places
from hostagent.errors import HostError

REPORT = """
import os, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
cgroup = next(line for line in open("/proc/self/cgroup") if line.startswith("0::")).strip()
out = os.fdopen(int(sys.argv[1]), "w")
print(cgroup, status["NoNewPrivs"], os.getcwd(), sorted(os.environ), sep="|", file=out)
"""


async def report(cgroup: Path) -> list[str]:
    ours, theirs = os.pipe()
    command = ("/usr/bin/python3", "-I", "-c", REPORT, str(theirs))
    process = await start_confined(command, cgroup, (theirs,))
    os.close(theirs)
    assert await process.wait() == 0
    with os.fdopen(ours) as pipe:
        return pipe.read().strip().split("|")


def test_a_child_is_confined(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    cgroup, no_new, cwd, environ = asyncio.run(report(places.directory(places.workers)))
    assert cgroup == f"0::{places.workers}"
    assert no_new == "1"
    assert cwd == "/"
    assert "PGPASSWORD" not in environ


def test_a_child_dies_with_its_parent(places: Places) -> None:
    cgroup = places.directory(places.workers)

    async def leave() -> int:
        return (await start_confined(("/usr/bin/sleep", "60"), cgroup, ())).pid

    ours, theirs = os.pipe()
    if (middle := os.fork()) == 0:
        os.write(theirs, str(asyncio.run(leave())).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        pid = int(pipe.read())
    os.waitpid(middle, 0)
    procs = places.directory(places.workers) / "cgroup.procs"
    assert pid > 0
    for _ in range(200):
        if procs.read_text() == "":
            return
        asyncio.run(asyncio.sleep(0.01))
    pytest.fail("the child outlived its parent")


def test_without_its_cgroup_a_child_does_not_start(places: Places) -> None:
    cgroup = places.directory("/no-such-cgroup")
    with pytest.raises(HostError, match="cannot be started"):
        asyncio.run(start_confined((sys.executable, "-c", ""), cgroup, ()))
