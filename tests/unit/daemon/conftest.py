"""A policy directory that loads, and a cgroup that goes away again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.daemon.places import Places
from hostagent.kernel.cgroups import find_cgroup2_root

POLICY = """version: 1
credentials:
  - {name: app, user: app, file: /nonexistent/secret}
rules: []
"""


@pytest.fixture
def policy_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "policies.d"
    directory.mkdir()
    (directory / "10-test.yaml").write_text(POLICY, "utf-8")
    return directory


@pytest.fixture
def places() -> Iterator[Places]:
    """The cgroups of an instance of this test's own, on the real cgroup v2 hierarchy."""
    places = Places(f"unit{os.getpid()}", find_cgroup2_root())
    places.make()
    yield places
    places.remove()
    assert not places.directory(places.base).exists()
