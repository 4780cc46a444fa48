"""The packages as `make package` makes them, built once for all tests of this folder, and what the .deb unpacks to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.package.description import ROOT

DATE = "1750000000"


@dataclass(frozen=True, slots=True)
class Packages:
    """Where the two files are, and the tree that both hold."""

    deb: Path
    rpm: Path
    tree: Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test is first waits for the build."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600))


def build(checkout: Path, folder: Path, **environment: str) -> Packages:
    """Build both packages from a checkout; everything that is made lies in `folder`."""
    command = [sys.executable, "-m", "tools.package", "--fast", "--out", str(folder), "--tree", str(folder / "tree")]
    values = os.environ | {"SOURCE_DATE_EPOCH": DATE, "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(command, cwd=checkout, env=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Packages(next(folder.glob("*.deb")), next(folder.glob("*.rpm")), folder / "tree")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build(ROOT, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def host(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .deb unpacked, with the interpreter and the units of this machine where those of a host would be."""
    root = tmp_path_factory.mktemp("host")
    subprocess.run(["dpkg-deb", "-x", str(packages.deb), str(root)], check=True)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (root / "usr/bin" / python).symlink_to(f"/usr/bin/{python}")
    (root / "bin").symlink_to("usr/bin")
    for units in (Path("/lib/systemd/system"),):
        shutil.copytree(units, root / "usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
    (root / "lib").symlink_to("usr/lib")
    return root
