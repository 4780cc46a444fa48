"""Everything in a subtree is governed but an allow-list of units."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.kernel.cgroups import find_cgroup2_root
from tests.e2e.world import NAME, World, target, world

TREE = f"/{NAME}.slice"
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [{"name": "read", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*"}}],
}
ASK = ("psql", "-X", "-A", "-t", "-h", "10.77.0.2", "-U", "trusting", "-d", "postgres", "-c")


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    govern = {"everything_under": TREE, "except": [f"{TREE}/free.service"]}
    with world(POLICY, govern=govern) as made:
        yield made


def ask(here: World, cgroup: str) -> subprocess.CompletedProcess[str]:
    """Run psql in that cgroup of the subtree."""
    directory = Path(f"{find_cgroup2_root()}{TREE}/{cgroup}")
    directory.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [*here.agent.enter(), *ASK, "SELECT 'answered'"],
        capture_output=True, text=True, check=False, timeout=20,
        preexec_fn=lambda: (directory / "cgroup.procs").write_text("0"),
    )  # fmt: skip


def cgroups_of_events(here: World) -> set[str]:
    return {event["unmapped"].get("cgroup", "") for event in here.events()}


@pytest.mark.parametrize("cgroup", ["any.service", "deep/below/it", "free.service.not"])
def test_what_is_not_on_the_list_is_governed(here: World, cgroup: str) -> None:
    done = ask(here, cgroup)
    assert done.stdout == "answered\n", done.stderr
    assert f"{TREE}/{cgroup}" in cgroups_of_events(here)


@pytest.mark.parametrize("cgroup", ["free.service", "free.service/child"])
def test_what_is_on_the_list_is_left_alone(here: World, cgroup: str) -> None:
    done = ask(here, cgroup)
    assert done.stdout == "answered\n", done.stderr
    assert f"{TREE}/{cgroup}" not in cgroups_of_events(here)


def test_outside_of_the_subtree_nothing_is_governed(here: World) -> None:
    before = len(here.events())
    done = here.direct(*ASK, "SELECT 'answered'")
    assert done.stdout == "answered\n", done.stderr
    assert len(here.events()) == before
