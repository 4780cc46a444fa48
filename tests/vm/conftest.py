"""Machines for the tests: one runner host for all of them, booted as the matrix asks (VM_KERNEL, VM_HIERARCHY)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm import lab
from tests.vm.machine import Machine

HERE = Path(__file__).parent
KERNEL = os.environ.get("VM_KERNEL", "6.1")
HYBRID = os.environ.get("VM_HIERARCHY", "unified") == "hybrid"
LAST = "test_purge"  # it takes the package away


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order of files, but what ends the machine comes last. A run that does not ask for machines boots none."""
    mine = [item for item in items if item.path.is_relative_to(HERE)]
    if not any(Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args):
        config.hook.pytest_deselected(items=mine)
        items[:] = [item for item in items if item not in mine]
        return
    items.sort(key=lambda item: item.path.stem == LAST)
    for item in mine:
        item.add_marker(pytest.mark.timeout(3600))  # an emulated processor


def pytest_report_header() -> str:
    """Said at the top of every run."""
    return f"machine: Debian 12, kernel {KERNEL}, cgroup {'hybrid' if HYBRID else 'v2 only'}"


@pytest.fixture(scope="session")
def runner() -> Iterator[Machine]:
    """The runner host, with the package; its daemon was enabled before this boot."""
    lab.require_qemu()
    image = lab.lab(lab.package())
    machine = Machine.boot(image, f"runner-{KERNEL}-{'hybrid' if HYBRID else 'unified'}", kernel=KERNEL, hybrid=HYBRID)
    lab.up(machine)
    yield machine
    machine.stop()
