"""The Vagrantfile is valid, and runs the scripts that the other tests here run too. No hypervisor is needed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.vm.lab import ROOT, package

VAGRANT = ROOT / "vagrant"


def validate(tmp_path: Path, deb: Path) -> subprocess.CompletedProcess[str]:
    """What `vagrant validate` says, with that package."""
    own = {"VAGRANT_HOME": str(tmp_path), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot"), "HOSTAGENT_PACKAGE": str(deb)}
    return subprocess.run(
        ["vagrant", "validate", "--ignore-provider"], cwd=VAGRANT, env={**os.environ, **own}, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, check=False, timeout=300,
    )  # fmt: skip


def test_the_vagrantfile_is_valid(tmp_path: Path) -> None:
    done = validate(tmp_path, package())
    assert done.returncode == 0, done.stderr
    assert "validated successfully" in done.stdout


def test_without_a_package_it_says_what_to_do(tmp_path: Path) -> None:
    done = validate(tmp_path, tmp_path / "run make package first")
    assert done.returncode != 0
    assert "run make package first must exist" in done.stderr


def test_scripts_have_no_known_mistakes() -> None:
    """Those of the lab, and those that the package ships for runners."""
    shipped = [path for path in (ROOT / "systemd" / "examples" / "runners").rglob("*") if os.access(path, os.X_OK)]
    scripts = [*VAGRANT.glob("*.sh"), *(path for path in shipped if path.is_file())]
    assert len(scripts) > 9
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_runs_the_scripts_that_are_tested() -> None:
    called = set(re.findall(r"/vagrant/(\S+\.sh)", (VAGRANT / "Vagrantfile").read_text()))
    assert called == {path.name for path in VAGRANT.glob("*.sh")} == {"provision.sh", "check.sh"}
