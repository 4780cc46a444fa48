"""Purged, the package leaves nothing: what stood before its installation stands again, and nothing else."""

from __future__ import annotations

import json

from tests.vm.lab import DATABASE, DIRECT_PORT, SLOW, STANDING
from tests.vm.machine import Machine


def test_a_purge_brings_back_what_was(runner: Machine) -> None:
    runner.check("apt-get", "purge", "-qy", "hostagent", timeout=SLOW)
    before = json.loads(runner.check("cat", STANDING))
    after = json.loads(runner.check("python3", "-I", "/usr/local/lib/vm/standing.py", timeout=SLOW))
    assert difference(before, after) == []


def test_who_was_governed_is_free(runner: Machine) -> None:
    attempt = f"python3 -I /usr/local/lib/vm/direct.py {DATABASE} {DIRECT_PORT}"
    assert (
        runner.shell(f"systemd-run --quiet --pipe --wait --collect --slice=governed.slice {attempt}").strip()
        == "direct"
    )


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """`SECTION: - line` for what is gone and `SECTION: + line` for what has come."""
    found = []
    for section in before:
        old, new = (_without_podman(section, lines[section]) for lines in (before, after))
        found += [f"{section}: - {line}" for line in sorted(old - new)]
        found += [f"{section}: + {line}" for line in sorted(new - old)]
    return found


def _without_podman(section: str, lines: list[str]) -> set[str]:
    """The tables of podman's own network, which its first container brings, are not the package's: names of others."""
    if section != "nftables":
        return set(lines)
    return {line for line in lines if line.startswith("table ") and line.split()[2] not in ("nat", "filter")}
