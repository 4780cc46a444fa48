"""The units: what systemd says of them, and how little each process may do by its own measure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.package import sandbox
from tools.package.description import ROOT

UNITS = ("hostagentd.service", "hostagentd.socket", "governed.slice")
# Lower is better. The supervisor is root with the capabilities that hostagentd.service explains, and sees every process
# of the host: that is its work; its read-only file systems count for nothing, as it starts before basic.target.
# What parses peers' bytes stays below 2.5.
MOST = {"hostagentd": 4.6, "hostagent-worker": 2.5, "hostagent-analyzer": 2.5}
LINK = "/sys/fs/bpf/hostagent/hostagent/links/hostagent_connect4"


def test_systemd_takes_them(host: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=one", f"--root={host}", *UNITS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", MOST)
def test_its_exposure_is_small(name: str, tmp_path: Path) -> None:
    text = {"hostagent-worker": sandbox.worker, "hostagent-analyzer": sandbox.analyzer}.get(name, sandbox.supervisor)()
    unit = tmp_path / f"{name}.service"
    unit.write_text(text)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None
    print(found.group())
    assert float(found.group(1)) <= MOST[name]


def test_the_capabilities_of_the_supervisor_are_each_explained() -> None:
    text = sandbox.UNIT.read_text()
    held = set(re.search(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE).group(1).split())  # type: ignore[union-attr]
    explained = re.findall(r"^#   (CAP_\w+)(?:, (_\w+))?", text, re.MULTILINE)
    names = {name for name, _ in explained} | {f"{'CAP' if other else ''}{other}" for _, other in explained if other}
    assert held == names


def test_no_unit_with_default_dependencies_starts_before_it() -> None:
    unit = parsed("systemd/hostagentd.service")["Unit"]
    assert unit["DefaultDependencies"] == "no"
    assert "basic.target" in unit["Before"].split()
    assert "basic.target" not in unit["After"]
    assert "network" not in unit["After"]  # a firewall that needs dbus would make it a cycle


def test_what_must_not_run_ungoverned_asks_whether_the_hooks_are_in_force() -> None:
    for file in ("systemd/governed.slice", "systemd/examples/governed-where-it-is.conf"):
        unit = parsed(file)["Unit"]
        assert unit["After"] == unit["Wants"] == "hostagentd.service"
        assert unit["AssertPathExists"] == LINK


def parsed(file: str) -> dict[str, dict[str, str]]:
    """A unit file: section → key → value; of a key that is given more than once, all values."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section[key] = f"{section[key]} {value}" if key in section else value
    return sections
