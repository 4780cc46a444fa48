"""Two builds are the same bytes: from another folder, under another umask, time zone and locale, at another time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.unit.package.conftest import Packages, build
from tools.package.description import ROOT

SOURCES = ("bpf", "docs", "hostagent", "packaging", "policies", "systemd", "tools")


def test_two_builds_are_the_same_bytes(packages: Packages, tmp_path: Path) -> None:
    checkout = tmp_path / "somewhere" / "else"
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "pyproject.toml", ROOT / "requirements.lock"):
        shutil.copyfile(file, checkout / file.name)
    stamp = Path("build/compiled/made-from")
    (checkout / stamp.parent).mkdir(parents=True)
    shutil.copyfile(ROOT / stamp, checkout / stamp)
    former = os.umask(0o077)
    try:
        again = build(checkout, tmp_path / "out", TZ="Asia/Tokyo", LC_ALL="C", HOME="/nowhere", USER="somebody")
    finally:
        os.umask(former)
    assert again.tree != packages.tree
    assert again.deb.read_bytes() == packages.deb.read_bytes()
    assert again.rpm.read_bytes() == packages.rpm.read_bytes()


def test_nothing_of_the_folder_of_the_build_is_in_it(packages: Packages) -> None:
    told = [
        file
        for file in packages.tree.rglob("*")
        if file.is_file() and not file.is_symlink() and str(ROOT).encode() + b"/" in file.read_bytes()
    ]
    assert told == []
