"""What is in the packages: everything that runs, nothing that does not, and it runs with nothing but itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hostagent
from tests.unit.package.conftest import DATE, Packages
from tools.package import licences
from tools.package.deb import maintainer_scripts
from tools.package.description import ROOT, read
from tools.package.environment import distributions
from tools.package.rpm import scriptlets
from tools.package.tree import PROGRAMS

HOME = "usr/lib/hostagent"
EXPECTED = (
    "usr/bin/hostagent",
    "usr/bin/hostagentd",
    f"{HOME}/pyvenv.cfg",
    f"{HOME}/bin/python",
    f"{HOME}/bpf/connect.bpf.o",
    f"{HOME}/bpf/divert.bpf.o",
    "usr/lib/systemd/system/hostagentd.service",
    "usr/lib/systemd/system/hostagentd.socket",
    "usr/lib/systemd/system/governed.slice",
    "usr/lib/sysusers.d/hostagent.conf",
    "usr/lib/tmpfiles.d/hostagent.conf",
    "etc/hostagent/hostagent.yaml",
    "etc/hostagent/policies.d/default.yaml",
    "usr/share/hostagent/policies/policy.schema.json",
    "usr/share/hostagent/policies/library/postgres-read-only.yaml",
    "usr/share/doc/hostagent/copyright",
    "usr/share/doc/hostagent/changelog.gz",
    "usr/share/doc/hostagent/examples/governed-runner.conf",
    "usr/share/man/man1/hostagent.1.gz",
    "usr/share/man/man8/hostagentd.8.gz",
    "usr/share/man/man5/hostagent-policy.5.gz",
    "usr/share/bash-completion/completions/hostagent",
    "usr/share/zsh/vendor-completions/_hostagent",
    "usr/share/fish/vendor_completions.d/hostagent.fish",
)
ASK_ALL_MODULES = """
import importlib, pkgutil, hostagent
names = [m.name for m in pkgutil.walk_packages(hostagent.__path__, "hostagent.")]
modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
print(len(modules), sum(m.__file__.endswith(".so") for m in modules), hostagent.__file__)
"""

READ_ALL = """
import sys
from pathlib import Path
from hostagent.daemon.config import load_config
from hostagent.policy.load import load_policy
load_policy(Path(sys.argv[1]))
for file in sys.argv[2:]:
    print(load_config(Path(file)).govern.cgroups)
"""


def said(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def test_everything_is_where_it_is_looked_for(packages: Packages) -> None:
    assert [place for place in EXPECTED if not os.path.lexists(packages.tree / place)] == []
    objects = {path.name for path in (ROOT / "bpf").glob("*.bpf.c")}
    assert {f"{path.name[:-1]}c" for path in (packages.tree / HOME / "bpf").iterdir()} == objects


def test_nothing_else_is_in_it(packages: Packages) -> None:
    site = packages.tree / HOME / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    names = {path.name.partition("-")[0].lower() for path in site.iterdir()}
    assert names & {"pip", "setuptools", "wheel", "pytest", "hypothesis", "mypy", "mypyc", "shtab", "paramiko"} == set()
    left_over = {"tests", "test", ".git"}
    assert [path for path in packages.tree.rglob("*") if path.name in left_over] == []
    assert [path for path in packages.tree.rglob("*.py") if not _bytecode(path).is_file()] == []


def _bytecode(path: Path) -> Path:
    return path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"


def test_both_formats_hold_the_same_files_of_root(packages: Packages) -> None:
    rows = [line.split(maxsplit=5) for line in said("dpkg-deb", "-c", packages.deb).splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    assert {row[0][1:] for row in rows if row[0][0] == "d"} == {"rwxr-xr-x"}
    assert {row[0] for row in rows if row[0][0] == "-"} == {"-rw-r--r--", "-rwxr-xr-x"}
    in_deb = {row[5].partition(" -> ")[0][1:] for row in rows if row[0][0] != "d"}
    listed = said("rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]", packages.rpm)
    in_rpm = {line.split()[2] for line in listed.splitlines() if line[0] != "d"}
    assert in_rpm == in_deb
    assert {line.split()[1] for line in listed.splitlines()} == {"root"}


def test_what_operators_edit_is_kept(packages: Packages) -> None:
    kept = ["/etc/hostagent/hostagent.yaml", "/etc/hostagent/policies.d/default.yaml"]
    assert said("dpkg-deb", "-I", packages.deb, "conffiles").split() == kept
    assert said("rpm", "-qp", "--configfiles", packages.rpm).split() == kept


def test_it_says_what_it_needs(packages: Packages) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    needed = said("dpkg-deb", "-f", packages.deb, "Depends")
    assert f"{version} (>= " in needed
    assert {"libc6", "libbpf1", "nftables", "systemd"} <= {word.split()[0] for word in needed.split(", ")}
    assert f"/usr/bin/{version}" in said("rpm", "-qpR", packages.rpm).split()
    assert said("dpkg-deb", "-f", packages.deb, "Version").strip() == hostagent.__version__


def test_every_module_loads_from_the_package_alone(host: Path) -> None:
    count, compiled, where = said(host / HOME / "bin/python", "-I", "-c", ASK_ALL_MODULES).split()
    assert int(count) > 200
    assert int(compiled) == len(list((ROOT / "hostagent").rglob("*.so")))
    assert where.startswith(str(host))


def test_the_programs_run_and_the_shipped_policies_are_good(host: Path) -> None:
    program = (host / HOME / "bin/python", "-I", "-m")
    assert said(*program, PROGRAMS["hostagent"], "version").strip() == f"hostagent {hostagent.__version__}"
    assert said(*program, PROGRAMS["hostagentd"], "--version").strip() == f"hostagentd {hostagent.__version__}"
    cases = host / "usr/share/hostagent/policies/cases"
    assert "PASS" in said(*program, PROGRAMS["hostagent"], "policy", "test", cases)


def test_the_shipped_configuration_is_good_and_so_is_the_one_for_its_end(host: Path) -> None:
    files = [host / file for file in ("etc/hostagent/hostagent.yaml", "usr/share/hostagent/teardown.yaml")]
    answers = said(host / HOME / "bin/python", "-I", "-c", READ_ALL, host / "etc/hostagent/policies.d", *files)
    assert answers.splitlines() == ["('/governed.slice',)"] * 2


def test_scripts_are_plain_shell_and_enable_nothing(tmp_path: Path) -> None:
    scripts = maintainer_scripts() | {
        f"rpm-{name}": f"#!/bin/sh\nset -e\n{text}" for name, text in scriptlets().items()
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        for word in ("systemctl start", "systemctl enable", "preset", "deb-systemd"):
            assert word not in text
    said("shellcheck", "-s", "sh", *sorted(tmp_path.iterdir()))


def test_lintian_has_nothing_to_say(packages: Packages) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", str(packages.deb)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == ""
    assert done.returncode == 0


def test_all_that_is_bundled_is_permissive_and_named() -> None:
    found = {one.metadata["Name"]: licences.licence(one) for one in distributions()}
    assert {name for name, licence in found.items() if licence not in licences.PERMISSIVE} == {"asyncssh"}
    text = licences.copyright_text()
    assert all(f"  {name} " in text for name in found)


def test_a_licence_that_is_not_known_to_be_permissive_is_refused(tmp_path: Path) -> None:
    from importlib.metadata import PathDistribution

    (tmp_path / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: gift\nVersion: 1\nLicense-Expression: GPL-3.0-only\n"
    )
    with pytest.raises(ValueError, match=r"GPL-3\.0-only"):
        licences.licence(PathDistribution(tmp_path))


def test_the_time_in_it_is_the_sources(packages: Packages) -> None:
    assert {int(path.lstat().st_mtime) for path in packages.tree.rglob("*")} == {int(DATE)}
    assert read().version == hostagent.__version__
